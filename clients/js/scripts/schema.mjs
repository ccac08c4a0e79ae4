// Writes src/schema.js, the types of what the API takes and gives, from docs/openapi.json; with --check, says whether it is
// as it should be.
import { readFileSync, writeFileSync } from "node:fs";

const document = JSON.parse(readFileSync(new URL("../../../docs/openapi.json", import.meta.url), "utf8"));
const file = new URL("../src/schema.js", import.meta.url);

/** Gives the type of a schema as TypeScript writes it. */
function typeOf(schema) {
  if (schema.$ref) return named(schema.$ref.split("/").at(-1));
  if (schema.oneOf) return [...new Set(schema.oneOf.map(typeOf))].join(" | ");
  if (schema.allOf) return schema.allOf.map(typeOf).join(" & ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const types = [schema.type ?? "unknown"].flat().map((type) => plain(type, schema));
  return types.join(" | ");
}

function plain(type, schema) {
  switch (type) {
    case "array":
      return `Array<${typeOf(schema.items)}>`;
    case "integer":
      return "number";
    case "object":
      if (schema.properties) {
        const required = new Set(schema.required ?? []);
        const fields = Object.entries(schema.properties).map(
          ([name, field]) => `${name}${required.has(name) ? "" : "?"}: ${typeOf(field)}`,
        );
        return `{ ${fields.join(", ")} }`;
      }
      return `Record<string, ${schema.additionalProperties ? typeOf(schema.additionalProperties) : "any"}>`;
    default:
      return type;
  }
}

/** A page of something is one generic type. */
function named(name) {
  const paged = name.match(/^Page_(.+)$/);
  return paged ? `Page<${paged[1]}>` : name;
}

const oneLine = (text) => text?.replaceAll(/\s+/g, " ").replaceAll("*/", "* /").trim() ?? "";

function typedef(name, description, schema) {
  const lines = ["/**", ...(description ? [` * ${oneLine(description)}`, " *"] : [])];
  if (schema.type === "object" && schema.properties) {
    const required = new Set(schema.required ?? []);
    lines.push(` * @typedef {object} ${name}`);
    for (const [field, about] of Object.entries(schema.properties)) {
      const inner = about.description ?? about.oneOf?.find((one) => one.description)?.description;
      const word = required.has(field) ? field : `[${field}]`;
      lines.push(` * @property {${typeOf(about)}} ${word} ${oneLine(inner)}`.trimEnd());
    }
  } else {
    lines.push(` * @typedef {${typeOf(schema)}} ${name}`);
  }
  return [...lines, " */"].join("\n");
}

/** The query of an operation: `get_resources` takes a `GetResourcesQuery`. */
function query(operation) {
  const parameters = (operation.parameters ?? []).filter((one) => one.in === "query");
  if (parameters.length === 0) return [];
  const name = operation.operationId
    .split("_")
    .map((word) => word[0].toUpperCase() + word.slice(1))
    .join("");
  const properties = Object.fromEntries(
    parameters.map((one) => [one.name, { ...one.schema, description: one.description }]),
  );
  const required = parameters.filter((one) => one.required).map((one) => one.name);
  return [typedef(`${name}Query`, operation.summary, { type: "object", properties, required })];
}

const schemas = Object.entries(document.components.schemas)
  .filter(([name]) => !name.startsWith("Page_") && name !== "Problem")
  .map(([name, schema]) => typedef(name, schema.description, schema));
const queries = Object.values(document.paths).flatMap((path) =>
  Object.values(path).flatMap((operation) => (operation.operationId ? query(operation) : [])),
);
const page = `/**
 * A page of a list.
 *
 * @template T
 * @typedef {object} Page
 * @property {Array<T>} items The rows.
 * @property {string | null} [next_cursor] Where the next page begins; \`null\` on the last one.
 */`;
const text = [
  "// Made from docs/openapi.json by scripts/schema.mjs: change the API, not this file.",
  page,
  ...schemas,
  ...queries,
  "export {};\n",
].join("\n\n");

if (!process.argv.includes("--check")) writeFileSync(file, text);
else if (readFileSync(file, "utf8") !== text) {
  console.error("src/schema.js is not what docs/openapi.json says: run clients/js/scripts/schema.mjs");
  process.exit(1);
}
