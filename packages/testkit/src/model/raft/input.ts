/** What can happen to a node. From `message` on it is the arrival of a message, and `change` stands for eight. */
export const InputKind = {
  campaign: 0,
  propose: 1,
  write: 2,
  apply: 3,
  beat: 4,
  crashKeeping: 5,
  crashLosing: 6,
  forget: 7,
  electionTime: 8,
  change: 16,
  message: 64,
} as const;
