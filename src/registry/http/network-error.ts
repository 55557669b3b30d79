import { CalveError, errnoOf } from '../../errors/index.ts';

/** OpenSSL's and Node.js's words for a certificate that is not to be trusted. */
const CERTIFICATE =
  /^(?:CERT_|ERR_TLS_CERT|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_(?:GET|VERIFY|DECRYPT|DECODE)|HOSTNAME_MISMATCH|INVALID_CA|PATH_LENGTH|INVALID_PURPOSE)/;
/** A server that speaks TLS, and ends it: for want of a certificate of this side, most often. */
const REFUSAL = /^ERR_SSL_.*_ALERT_/;
/** What comes back from a server that does not speak TLS, or not ours. */
const NO_TLS = /^(?:EPROTO|ERR_SSL_)/;
/** An address that will not answer on another try either, unless it did before. */
const UNREACHED = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH']);

/**
 * An error of the network as a CalveError. `data.temporary` says whether it may go away by itself.
 *
 * @param where the host, for people
 * @param reached whether the host ever answered
 */
export function networkError(where: string, error: unknown, reached: boolean): CalveError {
  if (error instanceof CalveError) return error;
  const errno = errnoOf(error) ?? '';
  const reason = reasonOf(error);
  const data = { registry: where, ...(errno !== '' && { errno }) };
  if (CERTIFICATE.test(errno)) {
    return new CalveError('denied', `${where}: its certificate is not trusted: ${reason}`, {
      hint: `put its authority's certificate into ~/.config/containers/certs.d/${where}/ca.crt`,
      data: { ...data, temporary: false },
      cause: error,
    });
  }
  if (REFUSAL.test(errno)) {
    return new CalveError('denied', `${where}: it refuses to speak TLS with this side: ${errno}`, {
      hint: `put the certificate that it asks for into ~/.config/containers/certs.d/${where}/client.cert, and its key into client.key`,
      data: { ...data, temporary: false },
      cause: error,
    });
  }
  if (NO_TLS.test(errno)) {
    return new CalveError('invalid', `${where}: expected a server that speaks TLS: ${errno}`, {
      data: { ...data, temporary: false, speaksTls: false },
      cause: error,
    });
  }
  const temporary = reached || !UNREACHED.has(errno);
  return new CalveError('io', `${where}: ${reason}`, { data: { ...data, temporary }, cause: error });
}

/** Several addresses that all failed have no message of their own. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') {
    return error.errors.map((each) => reasonOf(each)).join('; ');
  }
  return error instanceof Error ? error.message : String(error);
}
