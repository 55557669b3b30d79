import type { EnvInfo, EnvState, EnvStatus } from '../store/index.ts';

/** An environment's state as JSON: a word, and who holds the overlay. */
export interface StateJson {
  readonly state: 'idle' | 'in-use';
  readonly holders: readonly {
    readonly pid: number;
    readonly command: string;
    readonly access: 'read' | 'write';
  }[];
}

/** The shape `environment` of docs/json.md; a status keeps its further fields. */
export function envJson<Env extends EnvInfo | EnvStatus>(env: Env): Omit<Env, 'state'> & StateJson {
  return { ...env, ...stateJson(env.state) };
}

function stateJson(state: EnvState): StateJson {
  if (state === 'idle') return { state, holders: [] };
  return {
    state: 'in-use',
    holders: state.inUse.map(({ pid, command, access }) => ({ pid, command, access })),
  };
}
