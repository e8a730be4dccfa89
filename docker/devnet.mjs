/** The devnet behind a door: it listens on loopback alone, and other containers reach it through this port. */
import { connect, createServer } from 'node:net';

const { DOOR_HOST, DOOR_PORT, DEVNET_PORT } = process.env;

const door = createServer((caller) => {
  const inside = connect(Number(DEVNET_PORT), '127.0.0.1');
  for (const [one, other] of [[caller, inside], [inside, caller]]) {
    one.on('error', () => other.destroy());
    one.pipe(other);
  }
});
door.listen(Number(DOOR_PORT), DOOR_HOST);

await import('../devnet/main.mjs');
