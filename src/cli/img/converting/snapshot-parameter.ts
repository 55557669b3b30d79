import type { Snapshot } from '../../../qcow2/index.ts';
import type { ImgContext } from '../img-context.ts';
import { imgError } from '../img-error.ts';
import { parseOptionList } from '../options/option-list.ts';

/** Which snapshot: an id or a name, or what each of the two must be. */
export type SnapshotParameter =
  | { readonly either: string }
  | { readonly id: string | undefined; readonly name: string | undefined };

/** The value of `-l`: `snapshot.id=1,snapshot.name=one`, or just the one or the other. */
export function readSnapshotParameter(text: string, context: ImgContext): SnapshotParameter {
  if (!text.startsWith('snapshot.')) return { either: text };
  const given: { id: string | undefined; name: string | undefined } = { id: undefined, name: undefined };
  for (const { key, value } of parseOptionList(text)) {
    if (key === 'snapshot.id') given.id = value;
    else if (key === 'snapshot.name') given.name = value;
    else {
      throw imgError(`Invalid parameter '${key}'`, {
        more: `${context.program}: Failed in parsing snapshot param '${text}'`,
      });
    }
  }
  return given;
}

/** The snapshot that is meant: an id counts before a name. */
export function findSnapshot(
  snapshots: readonly Snapshot[],
  wanted: SnapshotParameter,
): Snapshot | undefined {
  if ('either' in wanted) {
    const { either } = wanted;
    return snapshots.find(({ id }) => id === either) ?? snapshots.find(({ name }) => name === either);
  }
  const { id, name } = wanted;
  if (id === undefined && name === undefined) return undefined;
  return snapshots.find((each) => (id ?? each.id) === each.id && (name ?? each.name) === each.name);
}
