import { type CheckReport, checkQcow2, repairQcow2 } from '../../../qcow2/index.ts';
import { findingLines, repairLines } from '../checking/finding-lines.ts';
import { repairedLines, reportJson, reportLines } from '../checking/report-lines.ts';
import type { ImgCommand, ImgContext } from '../img-context.ts';
import { imgError, messageOf, usageError } from '../img-error.ts';
import type { BlockNode } from '../opening/block-node.ts';
import { diskStorage } from '../opening/disk-storage.ts';
import { openImage } from '../opening/open-image.ts';
import { isUnsafeCache } from '../options/cache-mode.ts';
import { type OutputFormat, outputFormat } from '../options/output-format.ts';
import { readOptions } from '../options/read-options.ts';
import { Secrets } from '../options/secrets.ts';
import { jsonText } from '../printing/json-text.ts';

const OPTIONS = {
  short: { f: 'format:', r: 'repair:', T: 'cache:', q: 'quiet', U: 'forceShare' },
  long: {
    format: 'format:',
    repair: 'repair:',
    output: 'output:',
    object: 'object:',
    'image-opts': 'imageOptions',
    'force-share': 'forceShare',
  },
} as const;

/** The format has no bookkeeping that could be checked. */
const NO_CHECKS = 63;

/** `check`: whether an image's bookkeeping is right. */
export const check: ImgCommand = {
  usage:
    '[--object OBJECT] [--image-opts] [-q] [-f FORMAT] [--output=human|json] [-r leaks|all] [-T SRC_CACHE] [-U] FILENAME',
  help: [
    ['-f, --format=FORMAT', 'the format of the image (default: found out)'],
    ['-r, --repair=leaks|all', 'mend what is wrong: lost space alone, or all of it'],
    ['--output=human|json', 'for people, or for programs'],
    ['-T SRC_CACHE', 'the cache mode: none, writeback, unsafe, directsync, writethrough'],
    ['-q', 'say nothing but errors'],
    ['--object OBJECT', 'define a secret: secret,id=NAME,file=PATH'],
    ['--image-opts', 'FILENAME is a list of options: driver=qcow2,file.filename=PATH'],
    ['-U, --force-share', 'open the image even while somebody writes it'],
    ['exit codes', '0 sound, 1 not checked, 2 corrupt, 3 space lost, 63 no checks for the format'],
  ],
  async run(words, context) {
    const secrets = new Secrets();
    let [isQuiet, forceShare, imageOptions] = [false, false, false];
    let format: string | undefined;
    let repair: 'leaks' | 'all' | undefined;
    let output: OutputFormat = 'human';
    const typed = readOptions(words, OPTIONS);
    let each = typed.next();
    for (; !each.done; each = typed.next()) {
      const { name, value } = each.value;
      if (name === 'format') format = value;
      else if (name === 'repair') repair = repairMode(value);
      else if (name === 'output') output = outputFormat(value);
      else if (name === 'cache') isUnsafeCache(value, 'source cache option');
      else if (name === 'quiet') isQuiet = true;
      else if (name === 'object') secrets.define(value);
      else if (name === 'imageOptions') imageOptions = true;
      else forceShare = true;
    }
    const [filename, ...further] = each.value;
    if (filename === undefined || further.length > 0) throw usageError('Expecting one image file name');
    const node = await openImage(
      filename,
      { format, imageOptions, forceShare, secrets, writable: repair !== undefined, forCheck: true },
      context,
    );
    await using _disk = node.disk;
    const report = await examine(node, repair, context);
    if (output === 'json') {
      context.print(`${jsonText(reportJson(report, filename, node.driver))}\n`);
    } else if (!isQuiet) {
      context.print(`${[...repairedLines(report), ...reportLines(report)].join('\n')}\n`);
    }
    return codeOf(report);
  },
};

function repairMode(value: string): 'leaks' | 'all' {
  if (value === 'leaks' || value === 'all') return value;
  throw usageError(`Unknown option value for -r (expecting 'leaks' or 'all'): ${value}`);
}

async function examine(
  node: BlockNode,
  repair: 'leaks' | 'all' | undefined,
  context: ImgContext,
): Promise<CheckReport> {
  const { qcow2, file } = node;
  if (qcow2 === undefined || file === undefined) {
    throw imgError('This image format does not support checks', { exitCode: NO_CHECKS });
  }
  const storage = file.hostFile ?? diskStorage(file);
  const { clusterSize } = qcow2.header;
  const tell = (lines: readonly string[]) => {
    if (lines.length > 0) context.complain(`${lines.join('\n')}\n`);
  };
  const { signal } = context;
  try {
    if (repair === undefined) {
      const report = await checkQcow2(storage, { signal });
      tell(findingLines(report, clusterSize));
      return report;
    }
    const report = await repairQcow2(storage, { repair, signal });
    tell(findingLines(report.before, clusterSize));
    if (report.corruptionsFixed + report.leaksFixed > 0) {
      tell(repairLines(report.before, clusterSize));
      tell(findingLines(report, clusterSize));
    }
    return report;
  } catch (error) {
    throw imgError(`Check failed: ${messageOf(error)}`, { cause: error });
  }
}

function codeOf({ checkErrors, corruptions, leaks }: CheckReport): number {
  if (checkErrors > 0) return 1;
  if (corruptions > 0) return 2;
  return leaks > 0 ? 3 : 0;
}
