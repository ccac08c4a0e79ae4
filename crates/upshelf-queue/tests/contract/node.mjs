// What people run beside Upshelf: BullMQ in Node, and Bull Board. Arguments: Redis, BullMQ's prefix. Does what each line of
// standard input says, prints `reply …`, and `ran …` and `event …` for what happens meanwhile.
import { createInterface } from "node:readline";
import express from "express";
import { Job, Queue, QueueEvents, Worker } from "bullmq";
import { createBullBoard } from "@bull-board/api";
import { BullMQAdapter } from "@bull-board/api/bullMQAdapter";
import { ExpressAdapter } from "@bull-board/express";

const [url, prefix] = process.argv.slice(2);
const { hostname: host, port } = new URL(url);
const options = { connection: { host, port: Number(port), maxRetriesPerRequest: null }, prefix };
const queues = new Map();
const open = [];
const queue = (name) => {
  if (!queues.has(name)) queues.set(name, new Queue(name, options));
  return queues.get(name);
};

const actions = {
  // add QUEUE NAME DATA OPTIONS
  add: async (name, job, data, opts) => (await queue(name).add(job, JSON.parse(data), JSON.parse(opts))).id,
  // work QUEUE: fails an attempt as often as the job's data says.
  work: async (name) => {
    const run = async (job) => {
      console.log("ran", job.name, job.data.name, job.attemptsMade + 1);
      if (job.data.name === "errs twice" && job.attemptsMade < 2) throw new Error("not yet");
      if (job.data.name === "errs") throw new Error("never");
      return "by Node";
    };
    const worker = new Worker(name, run, { ...options, concurrency: 1 });
    open.push(worker);
    await worker.waitUntilReady();
    return "working";
  },
  events: async (name) => {
    const events = new QueueEvents(name, { ...options, lastEventId: "0" });
    open.push(events);
    for (const kind of ["added", "active", "completed", "failed", "delayed", "progress", "deduplicated"]) {
      events.on(kind, ({ jobId, failedReason }) => console.log("event", kind, jobId, failedReason ?? ""));
    }
    await events.waitUntilReady();
    return "listening";
  },
  job: async (name, id) => {
    const job = await Job.fromId(queue(name), id);
    return JSON.stringify({
      state: await job.getState(), attempts: job.attemptsMade, reason: job.failedReason, progress: job.progress,
      logs: (await queue(name).getJobLogs(id)).logs,
    });
  },
  // board QUEUE…: what Bull Board shows.
  board: async (...names) => {
    const adapter = new ExpressAdapter();
    createBullBoard({ queues: names.map((name) => new BullMQAdapter(queue(name))), serverAdapter: adapter });
    const server = await new Promise((ready) => {
      const server = express().use(adapter.getRouter()).listen(0, "127.0.0.1", () => ready(server));
    });
    const shown = await (await fetch(`http://127.0.0.1:${server.address().port}/api/queues`)).json();
    server.closeAllConnections();
    server.close();
    return JSON.stringify(Object.fromEntries(shown.queues.map(({ name, counts }) => [name, counts])));
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const [action, ...words] = line.split("\t");
  try {
    console.log("reply", await actions[action](...words));
  } catch (error) {
    console.log("reply", String(error));
  }
}
await Promise.all([...open, ...queues.values()].map((one) => one.close()));
