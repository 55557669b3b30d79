import { CalveError } from '../../errors/index.ts';
import type { SnapshotChoice } from '../../nbd/index.ts';

/**
 * The value of `--load-snapshot`, as qemu-nbd takes it: `ID_OR_NAME`, or `snapshot.id=ID`, `snapshot.name=NAME`, or both.
 * @throws CalveError `usage`
 */
export function parseSnapshot(text: string): SnapshotChoice {
  if (!text.startsWith('snapshot.')) return { idOrName: text };
  const choice: { id?: string; name?: string } = {};
  for (const part of text.split(',')) {
    const [, key, value] = /^snapshot\.(id|name)=(.+)$/.exec(part) ?? [];
    if (key === undefined || value === undefined) {
      throw new CalveError('usage', `expected snapshot.id=ID,snapshot.name=NAME or ID_OR_NAME, got ${text}`);
    }
    choice[key === 'id' ? 'id' : 'name'] = value;
  }
  return choice;
}
