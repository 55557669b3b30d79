import type { Disk } from '../../../disk/index.ts';
import {
  Chain,
  openImage as openQcow2Image,
  type Qcow2Disk,
  type Qcow2Header,
} from '../../../qcow2/index.ts';
import { prefixed } from '../img-error.ts';
import type { BlockOptions } from '../options/block-options.ts';
import { backingName } from './backing-name.ts';
import { type BlockNode, blockNode } from './block-node.ts';
import { dataFileOpener } from './data-file-opener.ts';
import { diskStorage } from './disk-storage.ts';
import { jsonName } from './node-name.ts';
import type { NodeRequest, OpenSettings } from './open-request.ts';
import { qcow2Words } from './qcow2-words.ts';
import { refuseUnknownOptions } from './refuse-unknown-options.ts';
import { takeCommonOptions } from './take-common-options.ts';

/** Options that change how QEMU reads and writes, and not what. */
const PASSED_OVER = [
  'lazy-refcounts',
  'pass-discard-request',
  'pass-discard-snapshot',
  'pass-discard-other',
  'cache-size',
  'l2-cache-size',
  'l2-cache-entry-size',
  'refcount-cache-size',
  'cache-clean-interval',
  'overlap-check',
];

/** A qcow2 image with its backing chain, QEMU's driver `qcow2`. */
export async function openQcow2Node(
  file: BlockNode,
  wasProbed: boolean,
  options: BlockOptions,
  settings: OpenSettings,
  openNode: (request: NodeRequest, settings: OpenSettings) => Promise<BlockNode>,
): Promise<BlockNode> {
  takeCommonOptions(options);
  for (const key of PASSED_OVER) options.take(key);
  options.takeChild('overlap-check');
  const hasNoBacking = options.takeNull('backing');
  const backingOptions = options.takeChild('backing');
  const isOverruled = hasNoBacking || backingOptions.first !== undefined;
  const dataFileOptions = options.takeChild('data-file');
  const secretId = options.take('encrypt.key-secret');
  options.take('encrypt.format');
  const passphrase = secretId === undefined ? undefined : settings.secrets.get(secretId);
  const above = settings.chain ?? Chain.begin();
  const chain = file.hostFile === undefined ? above : enter(above, file.hostFile.path);
  const opened: { backing?: BlockNode; dataFile?: BlockNode } = {};
  let qcow2: Qcow2Disk;
  try {
    qcow2 = await openQcow2Image(file.hostFile ?? diskStorage(file), {
      writable: settings.writable && !settings.forCheck,
      chain,
      openBacking,
      dataFile: dataFileOpener(dataFileOptions, settings, openNode, (node) => {
        opened.dataFile = node;
      }),
      encryption: passphrase === undefined ? {} : { passphrase },
      withoutData: settings.withoutData,
    });
  } catch (error) {
    throw qcow2Words(error);
  }
  refuseUnknownOptions(options, 'format', 'qcow2');
  const described = {
    driver: 'qcow2',
    file: file.options,
    ...(isOverruled && { backing: opened.backing?.options ?? null }),
  };
  return blockNode(
    {
      driver: 'qcow2',
      disk: qcow2,
      plainName: isOverruled && settings.withBacking ? undefined : file.plainName,
      options: described,
      file,
      qcow2,
      ...opened,
      wasProbed,
    },
    jsonName,
  );

  async function openBacking(header: Qcow2Header): Promise<Disk | null> {
    if (!settings.withBacking || hasNoBacking) return null;
    const name = backingName(file, header);
    if (name === undefined && backingOptions.first === undefined) return null;
    const request = {
      filename: backingOptions.has('file.filename') || backingOptions.has('driver') ? undefined : name,
      options: backingOptions,
      driver: backingOptions.has('driver') ? undefined : header.backingFormat,
    };
    try {
      const { writableDepth } = settings;
      const below = writableDepth === undefined ? undefined : writableDepth - 1;
      const backing = await openNode(request, {
        ...settings,
        writable: below === 0,
        writableDepth: below,
        chain,
      });
      opened.backing = backing;
      return backing.disk;
    } catch (error) {
      throw prefixed('Could not open backing file: ', error);
    }
  }
}

function enter(chain: Chain, path: string): Chain {
  try {
    return chain.enter(path);
  } catch (error) {
    throw qcow2Words(error);
  }
}
