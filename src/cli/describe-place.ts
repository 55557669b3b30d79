import type { CredentialsPlace } from '../registry/index.ts';

/** Where credentials lie: `in /home/ada/.docker/config.json`, `by docker-credential-pass`. */
export function describePlace({ file, helper }: CredentialsPlace): string {
  return helper === undefined ? `in ${file}` : `by ${helper}, which ${file} names`;
}
