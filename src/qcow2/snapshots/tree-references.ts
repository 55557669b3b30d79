import { CalveError } from '../../errors/index.ts';
import type { L2Table } from '../mapping/l2-table.ts';
import type { ImageWriter } from '../writing/image-writer.ts';
import { clusterReferences } from './cluster-references.ts';
import { spillTables } from './spill-tables.ts';
import { l2TablesOf, type TableTree } from './table-tree.ts';

/** Host clusters in a row, by number. */
interface Run {
  readonly first: number;
  readonly count: number;
}

/**
 * The references that a tree of tables holds: one on each L2 table, and on each host cluster that an entry points at, for
 * every time that it is named. They are counted one L2 table after the other, with refcounts in memory that are written
 * when they become much. To be used while nothing else changes the image.
 */
export class TreeReferences {
  readonly #writer: ImageWriter;
  readonly #tree: TableTree;
  /** How many runs `raise` has got through. */
  #raised = 0;

  constructor(writer: ImageWriter, tree: TableTree) {
    this.#writer = writer;
    this.#tree = tree;
  }

  /**
   * That everything in the tree leads to clusters in use, and none to the image's metadata.
   * @throws CalveError `corrupt`, `io`
   */
  async verify(): Promise<void> {
    const { refcounts } = this.#writer.metadata;
    for await (const table of l2TablesOf(this.#tree)) {
      for (const { first, count } of this.#runs(table)) {
        await refcounts.visit(first, count, (cluster, references) => {
          if (references === 0) throw this.#unused(cluster);
        });
      }
    }
  }

  /**
   * Adds a second holder to everything in the tree. What was added before an error, `takeBack` takes off again.
   * @param onTable may change a table, once its references are added; says whether it did
   * @param beforeWriting called ahead of whatever is written
   * @throws CalveError `out-of-range` when a refcount is too narrow (trap 29); `corrupt`, `io`
   */
  async raise(onTable: (table: L2Table) => boolean, beforeWriting: () => Promise<void>): Promise<void> {
    const { metadata } = this.#writer;
    for await (const table of l2TablesOf(this.#tree)) {
      for (const { first, count } of this.#runs(table)) {
        await metadata.refcounts.raiseEach(first, count);
        this.#raised += 1;
      }
      if (onTable(table)) this.#tree.l2.markDirty(table);
      await spillTables(metadata, this.#tree, beforeWriting);
    }
  }

  /** Takes off what `raise` added. */
  async takeBack(): Promise<void> {
    if (this.#raised === 0) return;
    for await (const table of l2TablesOf(this.#tree)) {
      for (const { first, count } of this.#runs(table)) {
        await this.#writer.parts.allocator.release(first, count);
        this.#raised -= 1;
        // What comes next may be what could not be added.
        if (this.#raised === 0) return;
      }
    }
  }

  /** Takes one holder off everything in the tree, which nothing on disk leads to any more. Free storage goes back. */
  async lower(): Promise<void> {
    const { file, allocator } = this.#writer.parts;
    for await (const table of l2TablesOf(this.#tree)) {
      for (const { first, count } of this.#runs(table)) {
        for (const { offset, length } of await allocator.release(first, count))
          file.punchHole(offset, length);
      }
      await spillTables(this.#writer.metadata, this.#tree);
    }
  }

  /** The clusters of an L2 table's data, and of the table itself: last, as it is not read again then. */
  *#runs(table: L2Table): Generator<Run> {
    const { geometry, metadata } = this.#writer.parts;
    const { clusterSize } = geometry;
    this.#checkTable(table);
    for (const run of clusterReferences(table, geometry)) {
      metadata.checkData(run.first * clusterSize, run.count * clusterSize);
      yield run;
    }
    yield { first: table.offset / clusterSize, count: 1 };
  }

  /** A snapshot's table lies on no metadata, but for the tables that it shares. */
  #checkTable({ offset }: L2Table): void {
    const { metadata, geometry } = this.#writer.parts;
    const kind = metadata.kindOf(offset / geometry.clusterSize);
    if (this.#tree.own || kind === undefined) return;
    metadata.checkMetadata('shared L2 table', offset, geometry.clusterSize);
  }

  #unused(cluster: number): CalveError {
    const { file, geometry } = this.#writer.parts;
    const offset = cluster * geometry.clusterSize;
    const { path } = file;
    return new CalveError('corrupt', `${path}: the cluster at ${offset} is in use with a refcount of 0`, {
      hint: `qemu-img check -r all ${path}`,
      data: { path, offset },
    });
  }
}
