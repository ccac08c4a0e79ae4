// A program that knows only the design note: does on Redis (the first argument) what each line of standard input says, prints
// `reply …`, and prints `heard CHANNEL PAYLOAD` for what it is subscribed to.
import { createInterface } from "node:readline";
import { Redis } from "ioredis";

const redis = new Redis(process.argv[2]);
const ears = new Redis(process.argv[2]);
ears.on("message", (channel, payload) => console.log("heard", channel, payload));

const actions = {
  get: (key) => redis.get(key),
  votes: async (id) => JSON.stringify(await redis.hgetall(`vote:suggestion:${id}:votes`)),
  top: async () => JSON.stringify(await redis.zrevrange("suggestions:top:voted", 0, 9, "WITHSCORES")),
  subscribe: (channel) => ears.subscribe(channel),
  // invalidateByTag, as the note writes it.
  invalidate: async (tag) => {
    const members = await redis.smembers(`cache:tag:${tag}`);
    if (members.length > 0) await redis.del(...members);
    await redis.del(`cache:tag:${tag}`);
    return members.length;
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const [action, argument] = line.split(" ");
  console.log("reply", await actions[action](argument));
}
redis.disconnect();
ears.disconnect();
