# Stands in for postgres:18 where no registry of images can be reached: PostgreSQL 15 of Debian, under the same tag.
FROM systock-test-debian:bookworm
ENV PGDATA=/var/lib/postgresql/data PATH=/usr/lib/postgresql/15/bin:$PATH
RUN apt-get update && apt-get install -y --no-install-recommends postgresql-15 gosu && rm -rf /var/lib/apt/lists/*
COPY entrypoint.sh /usr/local/bin/entrypoint.sh
RUN chmod 0755 /usr/local/bin/entrypoint.sh && install -d -o postgres /var/lib/postgresql/data
EXPOSE 5432
ENTRYPOINT ["entrypoint.sh"]
CMD ["postgres"]
