// Makes decisions with rate-limiter-flexible and prints what one costs this process: user and system time, in µs.
// Arguments: Redis' address, how many, how many at once, among how many subjects, `plain` or `pipelined`.
import { Redis } from "ioredis";
import { RateLimiterRedis } from "rate-limiter-flexible";

const [url, ...numbers] = process.argv.slice(2, 6);
const [calls, concurrency, subjects] = numbers.map(Number);
const redis = new Redis(url, { enableAutoPipelining: process.argv[6] === "pipelined" });
const limiter = new RateLimiterRedis({
  storeClient: redis,
  keyPrefix: "node",
  points: 60_000_000,
  duration: 60,
});

const run = async (calls) => {
  let next = 0;
  const one = async () => {
    while (next < calls) await limiter.consume(`member:${next++ % subjects}`);
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
