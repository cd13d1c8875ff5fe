import type { ChannelOptions, ServerOptions } from "@grpc/grpc-js";
import { flowControlWindow } from "./flowControl.ts";

const MiB = 1024 * 1024;
/** A rollout or snapshot is 1-4 MB; twice the largest environment's rollout still fits. */
export const maxMessageBytes = 64 * MiB;

const shared = {
  "grpc.max_receive_message_length": maxMessageBytes,
  "grpc.max_send_message_length": maxMessageBytes,
  // Pings find half-open links (a machine that lost power, a cut cable), which TCP alone notices after minutes. The
  // timeout leaves room for a peer whose event loop is busy decoding.
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 10_000,
} satisfies ChannelOptions;

/** Options of every gRPC client of ours. */
export const clientOptions: ChannelOptions = {
  ...shared,
  "grpc.keepalive_permit_without_calls": 1,
  // Peers are on the same machine or cluster: a proxy meant for the internet would only break this.
  "grpc.enable_http_proxy": 0,
  "grpc.initial_reconnect_backoff_ms": 200,
  "grpc.max_reconnect_backoff_ms": 5_000,
  "grpc.use_local_subchannel_pool": 1,
  // grpc-js retries invisibly by default; ours are counted, bounded and logged in one place (backoff.ts).
  "grpc.enable_retries": 0,
  "grpc-node.flow_control_window": flowControlWindow,
};

/** Options of every gRPC server of ours. */
export const serverOptions: ServerOptions = { ...shared };
