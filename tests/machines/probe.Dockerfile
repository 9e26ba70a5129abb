# The smallest container that answers and asks: what a test puts on machines in place of a plane.
ARG BASE=debian:trixie-slim
FROM ${BASE}
RUN apt-get -o APT::Update::Error-Mode=any update -qq \
 && apt-get install -y -qq --no-install-recommends python3-minimal >/dev/null && rm -rf /var/lib/apt/lists/*
USER 10001:10001
