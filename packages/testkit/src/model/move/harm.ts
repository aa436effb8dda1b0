/** What clients or operators suffer when a protocol of moves is wrong. */
export type Harm =
  | 'two groups serve'
  | 'wrong content'
  | 'content lost'
  | 'nobody serves'
  | 'never cleaned up'
  | 'executed twice'
  | 'time goes back';
