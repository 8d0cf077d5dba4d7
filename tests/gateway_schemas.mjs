// Prints what the schemas of the Gateway API have against the objects on standard input: their own
// complaints, and fields that they never looked at, since they let unknown ones pass.
// Usage: node gateway_schemas.mjs NODE_MODULES <objects.json
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const schemas = resolve(process.argv[2], "@kubernetes-models/gateway-api/_schemas");

function watched(value, path, unseen) {
  if (value === null || typeof value !== "object") return value;
  const inner = Array.isArray(value) ? [] : {};
  for (const [name, each] of Object.entries(value)) {
    const below = `${path}/${name}`;
    inner[name] = watched(each, below, unseen);
    unseen.add(below);
  }
  return new Proxy(inner, {
    get(target, name) {
      unseen.delete(`${path}/${String(name)}`);
      return target[name];
    },
  });
}

for (const object of JSON.parse(readFileSync(0, "utf8"))) {
  const file = `${schemas}/IoK8sSigsGatewayApiApisV1${object.kind}.js`;
  const { validate } = await import(pathToFileURL(file));
  const unseen = new Set();
  const seen = watched(object, "", unseen);
  validate(seen);
  for (const error of validate.errors ?? []) {
    console.log(`${error.instancePath} is not of the schema: ${error.keyword}`);
  }
  for (const path of unseen) console.log(`${path} is unknown to the schema`);
}
