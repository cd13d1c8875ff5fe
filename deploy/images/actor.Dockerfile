# Plays: environments and onnxruntime, no TensorFlow.
#   docker build -f deploy/images/actor.Dockerfile -t anchorage/actor:0.1.0 .      after build.Dockerfile
ARG BUILD_IMAGE=anchorage/build:0.1.0
ARG NODE_IMAGE=node:20.20.2-bookworm-slim
FROM ${BUILD_IMAGE} AS build
RUN node scripts/roleImage.mjs actor /image/anchorage

FROM ${NODE_IMAGE}
# the last one as cli/supervisor.ts has it: large blocks are given back to the system one by one
ENV NODE_ENV=production TF_CPP_MIN_LOG_LEVEL=2 MALLOC_MMAP_THRESHOLD_=4194304
WORKDIR /anchorage
COPY --from=build /image /
USER 10001:10001
ENV ANCHORAGE_ACTOR_METRICS_PORT=9402
EXPOSE 9402
# answers while the event loop turns; Kubernetes has probes of its own
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9402/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# node itself is PID 1: it handles SIGTERM (drains, stores, ends) and starts no processes that it would have to reap
ENTRYPOINT ["node", "/anchorage/dist/cli/main.js"]
CMD ["actor"]
