import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CalveError } from '../../errors/index.ts';
import { isOpenToOthers, listeningOf } from './listening.ts';

test('by default this machine alone can connect', () => {
  assert.deepEqual(listeningOf({}, []), { host: '127.0.0.1', port: 10809 });
  assert.deepEqual(listeningOf({ port: 0 }, []), { host: '127.0.0.1', port: 0 });
  assert.deepEqual(listeningOf({ bind: '0.0.0.0' }, []), { host: '0.0.0.0', port: 10809 });
  assert.deepEqual(listeningOf({ socket: 'a/b' }, []), { path: 'a/b' });
  assert.deepEqual(listeningOf({}, [3, 4]), { fds: [3, 4] });
  const hosts = ['127.0.0.1', '::1', '::ffff:127.0.0.1', '0.0.0.0', '::', '192.168.0.1'];
  const open = hosts.filter((host) => isOpenToOthers({ host, port: 1 }));
  assert.deepEqual(open, ['0.0.0.0', '::', '192.168.0.1']);
});

test('places that exclude each other are refused', () => {
  const wrong = [
    () => listeningOf({ socket: 'a', port: 1 }, []),
    () => listeningOf({ socket: 'a', bind: '::1' }, []),
    () => listeningOf({ socket: 'a' }, [3]),
    () => listeningOf({ port: 1 }, [3]),
    () => listeningOf({ fork: true }, [3]),
  ];
  for (const each of wrong) assert.throws(each, (error) => CalveError.is(error, 'usage'));
});
