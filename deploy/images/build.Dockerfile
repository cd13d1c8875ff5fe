# Compiles everything, once for all images: docker build -f deploy/images/build.Dockerfile -t anchorage/build:0.1.0 .
# The role's Dockerfiles copy their part of it. Pin the base by digest for builds that must repeat: docs/deploy.md.
ARG NODE_IMAGE=node:20.20.2-bookworm-slim
FROM ${NODE_IMAGE}
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates binutils g++ python3 python3-pip zlib1g-dev \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /anchorage
# cpu or gpu: which TensorFlow. 1 leaves ALE out, which is GPL-2, or MuJoCo.
ARG DEVICE=cpu
ARG WITHOUT_ATARI=0
ARG WITHOUT_MUJOCO=0
ENV ANCHORAGE_CACHE=/anchorage/cache \
    ANCHORAGE_DEVICE=${DEVICE} \
    ANCHORAGE_WITHOUT_ATARI=${WITHOUT_ATARI} \
    ANCHORAGE_WITHOUT_MUJOCO=${WITHOUT_MUJOCO}
# what set-up reads comes first: other sources may change without all of this being made again (.npmrc: no install scripts)
COPY .npmrc package.json package-lock.json ./
COPY scripts/setup ./scripts/setup
COPY scripts/setup.mjs scripts/pins.mjs ./scripts/
COPY native ./native
COPY learner/compile ./learner/compile
RUN node scripts/setup.mjs
COPY . .
RUN node scripts/build.mjs
