// What users of TypeScript write: it must compile, and what is marked must not.
import { Client, ProblemError, browserStorage, unwrap } from "@upshelf/client";
import type { ResourceView } from "@upshelf/client/schema";
import type { ClientOptions, Page, Problem, Result, Storage } from "@upshelf/client";

const storage: Storage = browserStorage();
const options: ClientOptions = { baseUrl: "https://shelf.example", auth: { storage } };
const client = new Client(options);

const found = await client.resources.list({ sort: "popular", limit: 5 });
if (found.ok) {
  const titles: string[] = found.value.items.map((resource: ResourceView) => resource.title);
  const next: string | null | undefined = found.value.next_cursor;
  console.log(titles, next);
} else {
  const problem: Problem = found.problem;
  console.log(problem.code, problem.retryAfter ?? 0);
  // @ts-expect-error A problem has no value.
  console.log(found.value);
}
// @ts-expect-error There is no such order.
await client.resources.list({ sort: "loudest" });
// @ts-expect-error A vote is for or against.
await client.suggestions.vote("1", 2);
// @ts-expect-error A suggestion has a kind.
await client.suggestions.create({ reason: "r" });

for await (const suggestion of client.suggestions.all({ status: "open" })) {
  const score: number = suggestion.standing.score;
  console.log(score);
}
const feed = client.live.votes({ filter: ["1"] });
for await (const { suggestion_id, score } of feed) console.log(suggestion_id.length, score + 1);
client.live.notices(({ unread, notice }) => console.log(unread + 1, notice?.payload.text), { lost: () => {}, signal: AbortSignal.timeout(1) });

const tags: Result<Page<{ slug: string }>> = await client.tags.list();
const page = unwrap(tags);
try {
  console.log(page.items[0]?.slug);
} catch (error) {
  if (error instanceof ProblemError) console.log(error.problem.detail);
}
