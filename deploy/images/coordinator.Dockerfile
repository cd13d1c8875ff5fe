# Keeps the run: no TensorFlow, no environments.
#   docker build -f deploy/images/coordinator.Dockerfile -t anchorage/coordinator:0.1.0 .      after build.Dockerfile
ARG BUILD_IMAGE=anchorage/build:0.1.0
ARG NODE_IMAGE=node:20.20.2-bookworm-slim
FROM ${BUILD_IMAGE} AS build
RUN node scripts/roleImage.mjs coordinator /image/anchorage && mkdir /data

FROM ${NODE_IMAGE}
ENV NODE_ENV=production TF_CPP_MIN_LOG_LEVEL=2
WORKDIR /anchorage
COPY --from=build /image /
# a volume that the engine makes for it begins as this folder is
COPY --from=build --chown=10001:10001 /data /data
USER 10001:10001
ENV ANCHORAGE_COORDINATOR_METRICS_PORT=9400
EXPOSE 7400 9400
# answers while the event loop turns; Kubernetes has probes of its own
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9400/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# node itself is PID 1: it handles SIGTERM (drains, stores, ends) and starts no processes that it would have to reap
ENTRYPOINT ["node", "/anchorage/dist/cli/main.js"]
CMD ["coordinator"]
