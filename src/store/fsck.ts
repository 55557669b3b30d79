import { join, relative } from 'node:path';
import { statFile } from '../host/index.ts';
import { type Census, standingOn } from './census.ts';
import type { StoreContext } from './context.ts';
import { checkDocuments, moveAway, stray } from './fsck-documents.ts';
import { FETCH, FsckFindings } from './fsck-findings.ts';
import { checkStamps } from './fsck-stamps.ts';
import { checkStructure } from './fsck-structure.ts';
import { type Survey, surveyStore } from './fsck-survey.ts';
import { locked, lockedAsFound } from './locking.ts';
import { describeStanding } from './protection.ts';
import { refsOf } from './ref-index.ts';
import { readConfig } from './store-config.ts';
import type { FsckReport, WorkOptions } from './types.ts';

/**
 * Verifies a store: hashes every blob and checks the structure of every layer and overlay, then what the documents say
 * of each other. The long part takes no lock: blobs never change, and one that is collected meanwhile is no loss. The
 * short part is done under the store lock, of one moment.
 */
export async function checkStore(context: StoreContext, options: WorkOptions): Promise<FsckReport> {
  return judgeStore(context, await surveyStore(context, options), options.signal);
}

/** Tells what is wrong, of this moment, as far as the survey knows of what takes long to find out. */
export async function judgeStore(
  context: StoreContext,
  survey: Survey,
  signal?: AbortSignal,
): Promise<FsckReport> {
  const lock = survey.brokenMoves.size === 0 ? locked : lockedAsFound;
  const judge = async (): Promise<FsckReport> => {
    const findings = new FsckFindings();
    reportMoves(context, findings, survey);
    const census = await checkDocuments(context, findings);
    reportBlobs(context, findings, census, survey);
    const { immutable } = await readConfig(context);
    const layers = await checkStructure(context, findings, census, survey, immutable);
    await checkStamps(context, findings, census);
    const { harmed, layers: sound, others } = survey.blobs;
    return {
      problems: findings.problems,
      mended: [],
      skipped: survey.overlays.skipped,
      checked: {
        blobs: harmed.size + sound.size + others.size,
        bytes: survey.blobs.bytes,
        versions: census.manifests.size,
        layers,
        refs: refsOf(census.index).length,
        envs: census.envs.size,
        trash: census.trash.size,
      },
    };
  };
  return lock(context, judge, signal);
}

function reportMoves(context: StoreContext, findings: FsckFindings, survey: Survey): void {
  const { folder, journal } = context.layout;
  for (const [id, { message }] of survey.brokenMoves) {
    const path = join(journal, id);
    // What lies in it may be somebody's only copy, so that nobody but a person takes it away.
    findings.add({ kind: 'journal-broken', where: relative(folder, path), message, hint: moveAway(path) });
  }
}

function reportBlobs(context: StoreContext, findings: FsckFindings, census: Census, survey: Survey): void {
  const { harmed, misnamed } = survey.blobs;
  const { layout } = context;
  for (const name of misnamed) {
    const path = join(layout.blobs, name);
    if (statFile(path) !== undefined)
      stray(findings, path, relative(layout.folder, path), 'a name of 64 hex digits');
  }
  for (const [blob, { kind, what }] of harmed) {
    if (statFile(layout.blob(blob)) === undefined) continue;
    const standing = standingOn(census, blob);
    const message = `blob ${blob} ${what}; ${describeStanding(standing)}`;
    findings.add({ kind, where: blob, message, standing, hint: FETCH, needs: blob });
  }
}
