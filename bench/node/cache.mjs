// Reads through a cache and prints what one read costs this process: processor time in µs, and reads per second.
// Arguments: `memory` or `redis`, Redis' address, a JSON value, how many reads, how many at once, how many keys.
import { BentoCache, bentostore } from "bentocache";
import { memoryDriver } from "bentocache/drivers/memory";
import { redisDriver } from "bentocache/drivers/redis";
import { Redis } from "ioredis";

const [kind, url, json, ...numbers] = process.argv.slice(2);
const [calls, concurrency, keys] = numbers.map(Number);
const redis = new Redis(url, { enableAutoPipelining: true });
const value = JSON.parse(json);
const key = (n) => `cache:value:${n % keys}`;

let read;
if (kind === "memory") {
  const store = bentostore()
    .useL1Layer(memoryDriver({ maxItems: 100_000 }))
    .useL2Layer(redisDriver({ connection: redis }));
  const cache = new BentoCache({ default: "store", stores: { store } });
  for (let n = 0; n < keys; n++) await cache.set({ key: key(n), value, ttl: "1h" });
  read = (n) => cache.get({ key: key(n) });
} else {
  for (let n = 0; n < keys; n++) await redis.set(`node:${key(n)}`, json, "EX", 3600);
  read = async (n) => JSON.parse(await redis.get(`node:${key(n)}`));
}

const run = async (calls) => {
  let next = 0;
  const one = async () => {
    while (next < calls) if ((await read(next++)) === undefined) throw new Error("a value was missing");
  };
  await Promise.all(Array.from({ length: concurrency }, one));
};

await run(calls / 10);
const [begun, before] = [process.hrtime.bigint(), process.cpuUsage()];
await run(calls);
const { user, system } = process.cpuUsage(before);
const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
console.log((user + system) / calls, calls / seconds);
redis.disconnect();
process.exit(0);
