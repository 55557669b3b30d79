import { imgError } from '../img-error.ts';
import { parseSize } from '../options/parse-size.ts';
import { type BlockNode, blockNode } from './block-node.ts';
import { jsonName } from './node-name.ts';
import { NullDisk } from './null-disk.ts';
import type { NodeRequest } from './open-request.ts';
import { refuseUnknownOptions } from './refuse-unknown-options.ts';
import { takeCommonOptions } from './take-common-options.ts';

const NAME = 'null-co://';
/** What QEMU makes of no size. */
const DEFAULT_SIZE = 1024 ** 3;

/** A disk of nothing, QEMU's driver `null-co`. */
export function openNullNode({ options, filename }: NodeRequest): BlockNode {
  const name = options.take('filename') ?? filename;
  if (name !== undefined && name !== NAME) {
    throw imgError(`The only allowed filename for this driver is '${NAME}'`);
  }
  takeCommonOptions(options);
  const given = options.take('size');
  const zeroes = options.take('read-zeroes');
  const latency = options.take('latency-ns');
  refuseUnknownOptions(options, 'protocol', 'null-co');
  const size = given === undefined ? BigInt(DEFAULT_SIZE) : parseSize(given);
  if (typeof size !== 'bigint') throw imgError("Parameter 'size' expects a non-negative number below 2^64");
  const said = {
    ...(given !== undefined && { size: Number(size) }),
    ...(zeroes !== undefined && { 'read-zeroes': zeroes === 'on' }),
    ...(latency !== undefined && { 'latency-ns': Number(latency) }),
  };
  return blockNode(
    {
      driver: 'null-co',
      disk: new NullDisk(Number(size)),
      plainName: Object.keys(said).length === 0 ? NAME : undefined,
      options: { driver: 'null-co', ...said },
    },
    jsonName,
  );
}
