/**
 * What becomes of clusters that are written and hold nothing but zeros, as QEMU's `detect-zeroes`: data like any other,
 * or as by `writeZeroes`, whose storage is kept or, with `unmap`, given back.
 */
export type DetectZeroes = 'off' | 'on' | 'unmap';
