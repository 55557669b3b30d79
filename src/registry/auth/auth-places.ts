import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where credentials may lie. */
export interface AuthPlaces {
  /** The caller's choice. */
  readonly authFile?: string | undefined;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * The files that credentials are looked up in, first to last: the one that was named or that `$REGISTRY_AUTH_FILE` names
 * alone, else podman's and skopeo's two, and docker's.
 */
export function authFiles(places: AuthPlaces): string[] {
  const { env } = places;
  const named = namedFile(places);
  if (named !== undefined) return [named];
  const config = env['XDG_CONFIG_HOME'] || join(home(env), '.config');
  const runtime = env['XDG_RUNTIME_DIR'];
  return [
    ...(runtime ? [join(runtime, 'containers', 'auth.json')] : []),
    join(config, 'containers', 'auth.json'),
    dockerConfig(env),
  ];
}

/** The file that credentials are stored in: the one that was named, else docker's. */
export function fileToStoreIn(places: AuthPlaces): string {
  return namedFile(places) ?? dockerConfig(places.env);
}

function namedFile({ authFile, env }: AuthPlaces): string | undefined {
  return authFile ?? (env['REGISTRY_AUTH_FILE'] || undefined);
}

function dockerConfig(env: NodeJS.ProcessEnv): string {
  return join(env['DOCKER_CONFIG'] || join(home(env), '.docker'), 'config.json');
}

function home(env: NodeJS.ProcessEnv): string {
  return env['HOME'] || homedir();
}
