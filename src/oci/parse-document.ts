import * as v from 'valibot';
import { CalveError } from '../errors/index.ts';

/**
 * A JSON document, checked.
 *
 * @param where what the document is called in an error: a path, a blob
 * @throws CalveError `corrupt`, naming the document, the field, what was expected and what was there
 */
export function parseDocument<T>(text: string, schema: v.GenericSchema<unknown, T>, where: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CalveError('corrupt', `${where}: expected JSON: ${reason}`, { cause: error });
  }
  return checkDocument(value, schema, where);
}

/** As `parseDocument`, of what was parsed before. */
export function checkDocument<T>(value: unknown, schema: v.GenericSchema<unknown, T>, where: string): T {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const field = v.getDotPath(issue) ?? 'document';
  throw new CalveError('corrupt', `${where}: ${field}: ${issue.message}`, { data: { where, field } });
}
