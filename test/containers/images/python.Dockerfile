# Stands in for python:3.11-slim where no registry of images can be reached: Debian's Python, under the same tag. The
# certificates of this machine go into it, and into no image that is handed on.
FROM systock-test-debian:bookworm
RUN ln -sf python3 /usr/bin/python
COPY certificates.crt /etc/ssl/certs/ca-certificates.crt
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt PIP_DEFAULT_TIMEOUT=180
