// stdin: {url, verifier..., see tests/cross/test_generated_clients.py}; stdout: what the server answered.
// The types are those that openapi-typescript makes of /openapi.json; this file compiles under `strict` or not at all.
import { readFileSync } from "node:fs";
import createClient from "openapi-fetch";
import { hashTypedData, type Hex, type TypedDataDomain } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import type { components, paths } from "./openapi.js";

type TypedData = components["schemas"]["TypedData"];
type ToSign = paths["/v1/typed-data"]["post"]["requestBody"]["content"]["application/json"];

interface Asked {
  url: string;
  node: { key: Hex; run: string; address: string; nonce: string };
  claim: { epoch: number; account: string };
  vote: { key: Hex; proposal: string; voter: string };
}

const asked: Asked = JSON.parse(readFileSync(0, "utf8"));
const client = createClient<paths>({ baseUrl: asked.url });

/** Raises what the server refused with: a problem document. */
function taken<T>(answer: { data?: T; error?: unknown }): T {
  if (answer.data === undefined) throw new Error(JSON.stringify(answer.error));
  return answer.data;
}

/** Signs what the server gives only where it is what was meant: the caller says struct and fields. */
async function signed(key: Hex, body: ToSign, struct: string, meant: Record<string, unknown>): Promise<Hex> {
  const said: TypedData = taken(await client.POST("/v1/typed-data", { body }));
  const typed = {
    domain: said.domain as TypedDataDomain,
    types: said.types,
    primaryType: said.primaryType,
    message: said.message as Record<string, unknown>,
  };
  for (const [name, value] of Object.entries(meant))
    if (String(said.message[name]) !== String(value)) throw new Error(`${name} is another than was meant`);
  if (said.primaryType !== struct) throw new Error(`${said.primaryType} was not meant`);
  if (hashTypedData(typed) !== said.digest) throw new Error("the digest is another");
  return privateKeyToAccount(key).signTypedData(typed);
}

/** JSON with its keys sorted and without spaces: the one text of a message. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const parts = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${parts.map(([name, one]) => `${JSON.stringify(name)}:${canonical(one)}`).join(",")}}`;
}

async function main(): Promise<void> {
  const { node, claim, vote } = asked;
  const message = { run: node.run, node: node.address, nonce: node.nonce };
  const leave = await signed(node.key, { action: "message", kind: "leave", message }, "Leave", message);
  const leaf = { kind: "leave", message, signatures: [leave], beside: {} };
  const entered = taken(await client.POST("/v1/messages", { body: leaf, bodySerializer: canonical }));

  const path = { number: claim.epoch };
  const queued = taken(
    await client.POST("/v1/epochs/{number}/claims", { params: { path }, body: { account: claim.account } }),
  );

  const cast = { proposal: vote.proposal, voter: vote.voter, support: 1 };
  const meant = { proposalId: vote.proposal, voter: vote.voter, support: 1 };
  const signature = await signed(vote.key, { action: "vote", ...cast }, "Ballot", meant);
  const ballot = taken(
    await client.POST("/v1/proposals/{proposal}/ballots", {
      params: { path: { proposal: vote.proposal } },
      body: { voter: vote.voter, support: 1, signature },
    }),
  );
  const [epoch] = taken(await client.GET("/v1/epochs"));
  process.stdout.write(JSON.stringify({ entered, queued, ballot, total: epoch?.total }));
}

await main();
