import { roleUri } from "../shared/identity.ts";
import { policySubjects } from "../shared/policySnapshot.ts";

/** Of every run. A wildcard stands for a whole token: the streams' common beginning cannot be asked for. */
const anyStream = "*";
const anyChunk = policySubjects("*");
const replies = "_INBOX.>";

/**
 * nats.conf of a server with JetStream that knows clients by the role in their certificates (docs/security.md). The learner
 * may store policies, actors may only read them. File names are relative to the folder that the server is started in.
 */
export function natsSettings(): string {
  const settings = {
    listen: "0.0.0.0:4222",
    jetstream: { store_dir: "jetstream" },
    tls: { cert_file: "tls.crt", key_file: "tls.key", ca_file: "ca.crt", verify_and_map: true, timeout: 5 },
    authorization: {
      users: [
        {
          user: roleUri("learner"),
          permissions: {
            publish: [
              anyChunk,
              ...["INFO", "CREATE", "UPDATE", "DELETE"].map((verb) => `$JS.API.STREAM.${verb}.${anyStream}`),
            ],
            subscribe: [replies],
          },
        },
        {
          user: roleUri("actor"),
          permissions: { publish: [`$JS.API.DIRECT.GET.${anyStream}.>`], subscribe: [anyChunk, replies] },
        },
      ],
    },
  };
  return `# Start it in this folder: nats-server -c nats.conf\n${JSON.stringify(settings, null, 2)}\n`;
}
