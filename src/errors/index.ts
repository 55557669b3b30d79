/** Owns the one error family that every folder throws; imports nothing. */
export { CalveError, type ErrorCode, type ErrorDetails } from './calve-error.ts';
export { errnoOf, firstError, systemError } from './system-error.ts';
