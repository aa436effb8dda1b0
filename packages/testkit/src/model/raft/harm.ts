/** What a wrong core does, as the checks call it. */
export type Harm =
  /** A term has two leaders, or one twice. */
  | 'two leaders'
  /** Two logs differ at an index and term that they share, or before it. */
  | 'logs differ'
  /** What was committed is not in the log of a later leader, or is committed differently elsewhere. */
  | 'commit lost'
  /** Committed without being on the disks of a majority, or by nobody who leads. */
  | 'commit unfounded'
  /** A vote or an acknowledgement left before its disk knew of it, or somebody leads a term that its disk does not know. */
  | 'ahead of the disk'
  /** A term, a vote, a commit index or the log of a leader went back. */
  | 'went back'
  /** Two configurations, one after the other, that could each decide without the other. */
  | 'quorums apart'
  /** The core met a state that it takes for impossible. */
  | 'core stops';
