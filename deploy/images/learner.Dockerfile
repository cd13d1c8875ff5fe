# Trains: TensorFlow, no environments.
#   docker build -f deploy/images/learner.Dockerfile -t anchorage/learner:0.1.0 .      after build.Dockerfile
# For NVIDIA GPUs the same, from a build image with their TensorFlow and its CUDA (3 GB more; the node has the driver):
#   docker build -f deploy/images/build.Dockerfile --build-arg DEVICE=gpu -t anchorage/build-gpu:0.1.0 .
#   docker build -f deploy/images/learner.Dockerfile --build-arg BUILD_IMAGE=anchorage/build-gpu:0.1.0 -t anchorage/learner-gpu:0.1.0 .
ARG BUILD_IMAGE=anchorage/build:0.1.0
ARG NODE_IMAGE=node:20.20.2-bookworm-slim
FROM ${BUILD_IMAGE} AS build
RUN node scripts/roleImage.mjs learner /image/anchorage

FROM ${NODE_IMAGE}
ENV NODE_ENV=production TF_CPP_MIN_LOG_LEVEL=2
WORKDIR /anchorage
COPY --from=build /image /
USER 10001:10001
ENV ANCHORAGE_LEARNER_METRICS_PORT=9401
EXPOSE 7401 9401
# answers while the event loop turns; Kubernetes has probes of its own
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9401/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# node itself is PID 1: it handles SIGTERM (drains, stores, ends) and starts no processes that it would have to reap
ENTRYPOINT ["node", "/anchorage/dist/cli/main.js"]
CMD ["learner"]
