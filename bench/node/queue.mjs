// Adds jobs with BullMQ or works them, and prints `begun` when a tenth is done, then what one costs this process: processor
// time in µs, and jobs per second. Arguments: `one`, `bulk`, `fill` or `work`, Redis' address, how many jobs, how many side by
// side. The options are those of Upshelf's own workers.
import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";

const [what, url, ...numbers] = process.argv.slice(2);
const [jobs, concurrency] = numbers.map(Number);
const warm = jobs / 10;
const all = jobs + warm;
const day = 86_400;
const kept = {
  removeOnComplete: { count: 1_000, age: day },
  removeOnFail: { count: 5_000, age: 7 * day },
};
const options = { attempts: 3, backoff: { type: "exponential", delay: 1_000 }, ...kept };
const place = { connection: new Redis(url, { maxRetriesPerRequest: null }), prefix: "queue" };

let begun;
const begin = () => {
  console.log("begun");
  begun = [process.hrtime.bigint(), process.cpuUsage()];
};
const end = () => {
  const { user, system } = process.cpuUsage(begun[1]);
  const seconds = Number(process.hrtime.bigint() - begun[0]) / 1e9;
  console.log((user + system) / jobs, jobs / seconds);
  process.exit(0);
};

if (what === "work") {
  let done = 0;
  const count = async () => {
    done += 1;
    if (done === warm) begin();
    if (done === all) end();
  };
  const times = { lockDuration: 6_000, stalledInterval: 2_000, drainDelay: 1, maxStalledCount: 3 };
  new Worker("counts", count, { ...place, ...times, ...kept, concurrency });
} else {
  const queue = new Queue("counts", place);
  const job = (number) => ({ name: "count", data: { number }, opts: options });
  const bulk = async (from, to) => {
    for (let at = from; at < to; at += 1_000) {
      const count = Math.min(1_000, to - at);
      await queue.addBulk(Array.from({ length: count }, (_, number) => job(at + number)));
    }
  };
  const one = async (from, to) => {
    for (let at = from; at < to; at++) await queue.add("count", { number: at }, options);
  };
  const add = what === "one" ? one : bulk;
  await add(0, warm);
  begin();
  await add(warm, all);
  end();
}
