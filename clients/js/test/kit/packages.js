import { createRequire } from "node:module";

const folder = process.env.UPSHELF_NODE_PACKAGES;
if (!folder) throw new Error("UPSHELF_NODE_PACKAGES is not set: run clients/js/scripts/test");

/** Gives a package of scripts/node, which are kept outside the repository. */
export const packages = createRequire(`${folder}/package.json`);
