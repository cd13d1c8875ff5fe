# The NATS server that the tests run, by the hash in scripts/pins.mjs.
#   docker build -f deploy/images/nats.Dockerfile -t anchorage/nats:0.1.0 .      after build.Dockerfile
ARG BUILD_IMAGE=anchorage/build:0.1.0
FROM ${BUILD_IMAGE} AS build
RUN node scripts/roleImage.mjs nats /image/anchorage \
  && mkdir -p /image/usr/bin /image/tmp /data \
  && mv "$(find /image/anchorage/cache -name nats-server -type f)" /image/usr/bin/nats-server \
  && rm -r /image/anchorage

# one static program needs nothing else
FROM scratch
COPY --from=build /image /
# a volume that the engine makes for it begins as this folder is
COPY --from=build --chown=10001:10001 /data /data
USER 10001:10001
EXPOSE 4222 8222
# This server answers at port 8222 (/healthz) and asks nobody, and a shell or a client of HTTP would be there for an intruder,
# too. Kubernetes' probes ask that port from outside; so can whoever runs the container by hand.
HEALTHCHECK NONE
ENTRYPOINT ["/usr/bin/nats-server"]
