import { Option } from 'commander';

/** `--compression`: how the clusters of a new layer are packed. */
export function compressionOption(): Option {
  return new Option(
    '--compression <how>',
    'how to pack the new layer (default: the setting `compression`, zstd)',
  ).choices(['zstd', 'deflate', 'none']);
}
