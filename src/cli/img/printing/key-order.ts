/**
 * The order in which qemu-img prints the members of a JSON object, whatever the object: that of its hash table, the same on
 * every machine, and the same for the lines of format specific information. Seen in what QEMU 7.2 prints.
 */
const KEYS = `
refcount-cache-size ivgen-alg no-flush length compat icount aes flags vm-clock-nsec image-end-offset name
set-state active locking direct port compressed-clusters cache-size hash-alg iters read-zeroes
compression-type compressed inject-error lazy-refcounts date-sec bitmaps read-pattern cipher-alg
pass-discard-snapshot refcount-bits start detect-zeroes uuid total-clusters zero pass-discard-other
extent-size-hint offset corruptions image data-file ivgen-hash-alg socket backing corruptions-fixed
check-errors backing-filename-format children luks node-name cache-clean-interval host date-nsec driver
granularity required unix leaks path snapshots blkverify key-offset l2-cache-entry-size pass-discard-request
leaks-fixed allocated-clusters overlap-check virtual-size filename cluster-size rewrite-corrupted size export
fully-allocated auto-read-only l2-cache-size reconnect-delay format encrypt server read-only actual-size
data-file-raw format-specific full-backing-filename cipher-mode stripes slots vote-threshold payload-offset
vm-clock-sec tls-creds aio encrypted depth type open-timeout latency-ns cache discard tls-hostname drop-cache
present master-key-iters force-share file backing-filename corrupt fragmented-clusters id vm-state-size inet
key-secret dirty-flag extended-l2 data
`
  .trim()
  .split(/\s+/);

const PLACES = new Map(KEYS.map((key, place) => [key, place]));

/** Compares two keys by QEMU's order; such as are not known to it come last, by name. */
export function byKeyOrder(a: string, b: string): number {
  const [left, right] = [PLACES.get(a) ?? KEYS.length, PLACES.get(b) ?? KEYS.length];
  return left - right || (a < b ? -1 : a > b ? 1 : 0);
}
