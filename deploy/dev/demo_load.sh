# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The load of ./dev demo: shops that change orders and queue an event in the same transaction. What each writer will do
# is decided here, before it runs, so that afterwards there is something to compare with that is not the database.

# kind, host, what the receiver is asked for, and how often among 50 orders. The words are those of `sluice receive`.
# Hosts are names of this machine (RFC 6761); to sluice each of them is an endpoint of its own.
readonly DEMO_KINDS='
    healthy  shop     ok             30
    slow     slow     slow/100       4
    shaky    shaky    fail/2         5
    limited  limited  ratelimit/20   3
    down     down     status/500     4
    gone     gone     status/410     2
    unknown  unknown  ok             2'

# demo_plan RUN EVENTS DIR: SQL of writer W in DIR/W.sql; DIR/plan has a line for each INSERT: its number, whether it will
# be committed (t, f), and its kind.
#
# An order belongs to one shop. A transaction locks its order by changing it, so that the order of its events is the
# order of the commits (docs/ordering.md); four writers share all orders. Each ninth transaction rolls back, each seventh
# undoes its second event through a savepoint, each eleventh commits late, and the last one of a writer never ends.
demo_plan() {
    awk -v run="$1" -v events="$2" -v dir="$3" -v writers="$DEMO_WRITERS" -v port="$(port_receiver)" -v kinds="$DEMO_KINDS" '
        BEGIN {
            n = split(kinds, word, /[ \n]+/)
            mix = 0
            for (i = 2; i + 3 <= n; i += 4) { # the first is what stands before the first word: nothing
                for (k = 0; k < word[i + 3]; k++) { kind[mix] = word[i]; host[mix] = word[i + 1]; path[mix] = word[i + 2]; mix++ }
            }
            split("sub2api newapi demo", platform, " ")
            split("order.paid order.shipped order.refunded order.closed", type, " ")
            orders = int(events / 8)
            if (orders < mix) orders = mix
            if (orders % 3 == 0) orders++
            for (w = 1; w <= writers; w++) write(w, int(events / writers) + (w <= events % writers))
        }

        # What dies comes from two platforms: one half is sent again by command, the other half in SQL.
        function of_order(o) {
            if (kind[o % mix] == "unknown") return "acme"
            if (kind[o % mix] == "down" || kind[o % mix] == "gone") return platform[1 + (o + int(o / mix)) % 2]
            return platform[1 + (o + int(o / mix)) % 3]
        }

        function insert(file, o, e,    p, url) {
            p = of_order(o)
            url = sprintf("http://%s.localhost:%d/%s/%s?platform=%s", host[o % mix], port, run, path[o % mix], p)
            printf("WITH o AS (INSERT INTO demo_orders AS d (id, amount) VALUES (\047%s-%d\047, %d) ON CONFLICT (id) DO UPDATE SET step = d.step + 1, amount = excluded.amount RETURNING *) INSERT INTO cs_platform_event_outbox (platform, event_type, callback_target, payload, partition_key) SELECT \047%s\047, \047%s\047, \047%s\047, jsonb_build_object(\047n\047, %d, \047key\047, id, \047seq\047, step, \047amount\047, amount, \047currency\047, \047CNY\047), id FROM o;\n",
                run, o, (number * 7919) % 100000, p, type[1 + number % 4], url, number) > file
        }

        function write(w, left,    file, t, e, size, fate, o) {
            file = dir "/" w ".sql"
            for (t = 1; left > 0; t++) {
                size = 1 + t % 4
                if (size > left) size = left
                left -= size
                o = (t * 3 + w) % orders
                print "BEGIN;" > file
                for (e = 1; e <= size; e++) {
                    number++
                    undone = t % 7 == 0 && e == 2
                    if (undone) print "SAVEPOINT s;" > file
                    insert(file, o, e)
                    if (undone) print "ROLLBACK TO s;" > file
                    fate = undone || t % 9 == 0 || left == 0 ? "f" : "t"
                    printf("%d\t%s\t%s\n", number, fate, kind[o % mix]) > (dir "/plan")
                }
                if (t % 11 == 0) print "SELECT pg_sleep(0.03);" > file
                if (left > 0) print (t % 9 == 0 ? "ROLLBACK;" : "COMMIT;") > file
            }
        }'
}

demo_tables() {
    demo_sql <<<'CREATE TABLE IF NOT EXISTS demo_orders (id text PRIMARY KEY, step int NOT NULL DEFAULT 1, amount bigint NOT NULL)' 2>&1 |
        grep -v '^NOTICE' || true
}

# Writers in the background; DEMO_PIDS has them.
demo_write() {
    local writer
    for ((writer = 1; writer <= DEMO_WRITERS; writer++)); do
        psql -qAtX -v ON_ERROR_STOP=1 "$DATABASE_URL" -f "$DEMO_DIR/$writer.sql" </dev/null >"$DEMO_DIR/$writer.out" 2>&1 &
        DEMO_PIDS+=($!)
    done
}

demo_writing() {
    local pid
    for pid in "${DEMO_PIDS[@]}"; do
        ! kill -0 "$pid" 2>/dev/null || return 0
    done
    return 1
}

demo_written() {
    local pid
    for pid in "${DEMO_PIDS[@]}"; do
        wait "$pid" || die "a writer failed: $(cat "$DEMO_DIR"/*.out | grep -v '^$' | tail -n 3)"
    done
    DEMO_PIDS=()
}
