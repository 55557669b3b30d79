/** What an image is like. */
export interface Combination {
  readonly version: 2 | 3;
  readonly clusterSize: number;
  readonly refcountBits: number;
  readonly compressionType: 'zlib' | 'zstd';
  readonly extendedL2: boolean;
  readonly dataFile: 'none' | 'plain' | 'raw';
  readonly encryption: 'none' | 'luks' | 'aes';
}

/** Every value of each. */
export const AXES: { readonly [Axis in keyof Combination]: readonly Combination[Axis][] } = {
  version: [2, 3],
  clusterSize: Array.from({ length: 13 }, (_, index) => 512 * 2 ** index),
  refcountBits: [1, 2, 4, 8, 16, 32, 64],
  compressionType: ['zlib', 'zstd'],
  extendedL2: [false, true],
  dataFile: ['none', 'plain', 'raw'],
  encryption: ['none', 'luks', 'aes'],
};

/** What QEMU is expected to refuse; its answer counts. */
const RULES: readonly ((one: Combination) => boolean)[] = [
  ({ version, refcountBits }) => version === 3 || refcountBits === 16,
  ({ version, compressionType }) => version === 3 || compressionType === 'zlib',
  ({ version, extendedL2 }) => version === 3 || !extendedL2,
  ({ version, dataFile }) => version === 3 || dataFile === 'none',
  ({ clusterSize, extendedL2 }) => clusterSize >= 16_384 || !extendedL2,
];

/** The full cross. */
export function allCombinations(): Combination[] {
  let rows: Partial<Combination>[] = [{}];
  for (const [axis, values] of Object.entries(AXES)) {
    rows = rows.flatMap((row) => values.map((value) => ({ ...row, [axis]: value })));
  }
  return rows as Combination[];
}

/** How many of the rules a combination breaks. */
export function brokenRules(one: Combination): number {
  return RULES.filter((rule) => !rule(one)).length;
}

/** A combination in words: the options of qemu-img. */
export function describeCombination(one: Combination): string {
  const { version, clusterSize, refcountBits, compressionType, extendedL2, dataFile, encryption } = one;
  return [
    `version ${version}`,
    `clusters of ${clusterSize}`,
    `refcounts of ${refcountBits} bits`,
    compressionType,
    ...(extendedL2 ? ['extended L2'] : []),
    ...(dataFile === 'none' ? [] : [`${dataFile} data file`]),
    ...(encryption === 'none' ? [] : [encryption]),
  ].join(', ');
}
