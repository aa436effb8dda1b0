const mustBeClear: readonly (readonly [flag: number, name: string])[] = [
  [0x1000, 'overlappingSync'],
  [0x1_0000, 'noSync'],
  [0x2_0000, 'readOnly'],
  [0x4_0000, 'noMetaSync'],
  [0x8_0000, 'useWritemap'],
  [0x10_0000, 'mapAsync'],
  [0x200_0000, 'usePreviousSnapshot'],
];
const mustBeSet: readonly (readonly [flag: number, name: string])[] = [[0x800, 'safeRestore']];

/** Compares environment flags with rule L1, so that an upgrade of the library cannot change them silently. */
export function describeFlags(value: number): { readonly value: number; readonly wrong: readonly string[] } {
  const wrong = [
    ...mustBeClear.filter(([flag]) => (value & flag) !== 0).map(([, name]) => name),
    ...mustBeSet.filter(([flag]) => (value & flag) === 0).map(([, name]) => `no ${name}`),
  ];
  return { value, wrong };
}
