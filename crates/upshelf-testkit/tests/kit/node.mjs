// Does on Redis (the first argument) what each line of standard input says, and prints `reply …`.
import { createInterface } from "node:readline";
import { BentoCache, bentostore } from "bentocache";
import { redisDriver } from "bentocache/drivers/redis";
import { Redis } from "ioredis";
import { RateLimiterRedis } from "rate-limiter-flexible";

const prefix = process.env.PREFIX;
const redis = new Redis(process.argv[2]);
const cache = new BentoCache({
  default: "shelf",
  stores: { shelf: bentostore().useL2Layer(redisDriver({ connection: redis, prefix: `${prefix}bento` })) },
});
const limiter = new RateLimiterRedis({ storeClient: redis, keyPrefix: `${prefix}limit`, points: 3, duration: 60 });

const actions = {
  set: (value) => redis.set(`${prefix}shelf`, value, "EX", 60),
  get: () => redis.get(`${prefix}shelf`),
  cache: () => cache.getOrSet({ key: "shelf", ttl: "1m", factory: () => "pine" }),
  limit: async () => (await limiter.consume("ada")).remainingPoints,
};

for await (const line of createInterface({ input: process.stdin })) {
  const [action, argument] = line.split(" ");
  console.log("reply", await actions[action](argument));
}
redis.disconnect();
