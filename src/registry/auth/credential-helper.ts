import { spawn } from 'node:child_process';
import * as v from 'valibot';
import { CalveError, errnoOf } from '../../errors/index.ts';
import type { Credentials } from './credentials.ts';

/** What a helper says when it has no credentials (docker/docker-credential-helpers). */
const NONE = /^credentials not found in native keychain|^no credentials server URL/;
/** The user name that says: the secret is an identity token. */
const TOKEN_USER = '<token>';
/** Milliseconds in which a helper answers: it may ask a person to unlock a keyring. */
const PATIENCE = 60_000;
const LONGEST_ANSWER = 1 << 20;

const secretSchema = v.looseObject({ Username: v.string(), Secret: v.string() });

/**
 * A program `docker-credential-NAME` that keeps credentials: docker's protocol, by arguments and standard input and output.
 */
export class CredentialHelper {
  readonly #program: string;
  readonly #env: NodeJS.ProcessEnv;

  /** @throws CalveError `invalid` for a name that could be a path */
  constructor(name: string, env: NodeJS.ProcessEnv) {
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) {
      throw new CalveError(
        'invalid',
        `expected the name of a credential helper, got ${JSON.stringify(name)}`,
      );
    }
    this.#program = `docker-credential-${name}`;
    this.#env = env;
  }

  /** What is kept for a registry; undefined when there is nothing. */
  async get(key: string): Promise<Credentials | undefined> {
    const { code, output } = await this.#run('get', key);
    if (code !== 0) {
      if (NONE.test(output.trim())) return undefined;
      throw this.#failed('get', code);
    }
    const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), secretSchema), output);
    if (!parsed.success)
      throw new CalveError(
        'invalid',
        `${this.#program} get: expected a JSON object with Username and Secret`,
      );
    const { Username, Secret } = parsed.output;
    if (Username === '' && Secret === '') return undefined;
    return Username === TOKEN_USER ? { identityToken: Secret } : { username: Username, password: Secret };
  }

  /** Keeps credentials. */
  async store(
    key: string,
    credentials: { readonly username: string; readonly password: string },
  ): Promise<void> {
    const { username, password } = credentials;
    const { code } = await this.#run(
      'store',
      JSON.stringify({ ServerURL: key, Username: username, Secret: password }),
    );
    if (code !== 0) throw this.#failed('store', code);
  }

  /** Forgets what is kept for a registry. */
  async erase(key: string): Promise<void> {
    const { code, output } = await this.#run('erase', key);
    if (code !== 0 && !NONE.test(output.trim())) throw this.#failed('erase', code);
  }

  /** The program's words are not passed on: nobody knows what they give away. */
  #failed(verb: string, code: number | null): CalveError {
    const how = code === null ? 'it was killed, or took too long' : `exit ${code}`;
    return new CalveError('io', `${this.#program} ${verb}: ${how}`, {
      hint: `run ${this.#program} list to see what it says`,
      data: { program: this.#program },
    });
  }

  #run(verb: string, input: string): Promise<{ readonly code: number | null; readonly output: string }> {
    const { promise, resolve, reject } = Promise.withResolvers<{ code: number | null; output: string }>();
    const child = spawn(this.#program, [verb], {
      env: this.#env,
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    // Not by spawn's `timeout`, which outlives a program that could not be started.
    const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      output += piece;
      if (output.length > LONGEST_ANSWER) child.kill();
    });
    child.on('error', (error) => {
      const missing = errnoOf(error) === 'ENOENT';
      reject(
        new CalveError(
          missing ? 'not-found' : 'io',
          `cannot run ${this.#program}: ${errnoOf(error) ?? 'it failed'}`,
          {
            ...(missing && { hint: `install ${this.#program}, or take it out of the file that names it` }),
            cause: error,
          },
        ),
      );
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code, output });
    });
    child.stdin.on('error', () => {}); // it may end without having read: its exit code tells
    child.stdin.end(input);
    return promise;
  }
}
