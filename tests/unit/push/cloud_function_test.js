// SPDX-License-Identifier: Apache-2.0
//
// Runs deploy/uniCloud/sluice-push under Node.js, with a stand-in for the global `uniCloud`.
'use strict';

const assert = require('assert');
const crypto = require('crypto');
const fs = require('fs');
const os = require('os');
const path = require('path');

const SECRET = 'a secret of nobody';
const source = path.join(process.argv[2], 'deploy', 'uniCloud', 'sluice-push', 'index.js');
const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-function-'));
fs.copyFileSync(source, path.join(dir, 'index.js'));
fs.writeFileSync(path.join(dir, 'config.json'), JSON.stringify({ secret: SECRET, apps: { default: '__UNI__1' } }));

let calls, stored, reply, database_works;
global.uniCloud = {
    getPushManager: ({ appId }) => ({
        sendMessage: async (m) => {
            calls.push({ appId, ...m });
            return reply(m);
        },
    }),
    database: () => ({
        collection: () => ({
            doc: (id) => ({
                get: async () => {
                    if (!database_works) throw new Error('away');
                    return { data: stored.has(id) ? [stored.get(id)] : [] };
                },
                set: async (value) => {
                    if (!database_works) throw new Error('away');
                    stored.set(id, value);
                },
            }),
        }),
    }),
};
const { main } = require(path.join(dir, 'index.js'));

const message = (id, more) => ({
    request_id: id, appid: 'default', push_clientid: 'c-' + id, title: '包裹', content: 'text', payload: { n: 1 }, ...more,
});
const at = (seconds) => String(Math.floor(Date.now() / 1000) + seconds);
const sign = (time, body, secret = SECRET) => crypto.createHmac('sha256', secret).update(time + '.' + body).digest('hex');

async function call(messages, { time = at(0), secret = SECRET, headers, raw, base64 } = {}) {
    const body = raw !== undefined ? raw : JSON.stringify({ messages });
    const result = await main({
        httpMethod: 'POST',
        headers: headers || { 'X-Sluice-Timestamp': time, 'X-Sluice-Signature': sign(time, body, secret) },
        body: base64 ? Buffer.from(body).toString('base64') : body,
        isBase64Encoded: Boolean(base64),
    });
    assert.strictEqual(result.mpserverlessComposedResponse, true);
    return { status: result.statusCode, ...JSON.parse(result.body) };
}

const tests = {
    async 'sends each message under its own id and app, and answers for each'() {
        const r = await call([message('a', { settings: { ttl: 1000 } }), message('b', { appid: '__UNI__2' })]);
        assert.strictEqual(r.status, 200);
        assert.deepStrictEqual(r.data, {
            a: { errCode: 0, status: 'successed_online' }, b: { errCode: 0, status: 'successed_online' },
        });
        assert.deepStrictEqual(calls.map((c) => [c.appId, c.request_id, c.push_clientid, c.force_notification, c.settings]), [
            ['__UNI__1', 'a', 'c-a', true, { ttl: 1000 }], ['__UNI__2', 'b', 'c-b', true, undefined],
        ]);
    },
    async 'an id that was sent is answered as before and not sent again'() {
        await call([message('a')]);
        reply = () => { throw new Error('must not be called'); };
        const r = await call([message('a')]);
        assert.deepStrictEqual(r.data, { a: { errCode: 0, status: 'successed_online' } });
        assert.strictEqual(calls.length, 1);
    },
    async 'what was refused may be sent again'() {
        reply = () => ({ errCode: 20001, errMsg: 'cid is invalid' });
        assert.deepStrictEqual((await call([message('a')])).data.a, { errCode: 20001, errMsg: 'cid is invalid' });
        reply = ok;
        assert.strictEqual((await call([message('a')])).data.a.status, 'successed_online');
    },
    async 'one that throws does not take the others with it'() {
        reply = (m) => { if (m.request_id === 'a') throw new Error('boom'); return ok(m); };
        const r = await call([message('a'), message('b')]);
        assert.deepStrictEqual(r.data.a, { errCode: 500, errMsg: 'boom' });
        assert.strictEqual(r.data.b.status, 'successed_online');
    },
    async 'without its database it sends all the same: uniPush drops repeats'() {
        database_works = false;
        assert.strictEqual((await call([message('a')])).data.a.status, 'successed_online');
    },
    async 'a body in base64 is the same body'() {
        assert.strictEqual((await call([message('a')], { base64: true })).data.a.errCode, 0);
    },
    async 'nobody without the secret, and nothing old, is heard'() {
        for (const options of [
            { secret: 'another' }, { time: at(-301) }, { time: at(301) }, { headers: {} }, { time: 'soon' }, { time: '' },
            { headers: { 'x-sluice-timestamp': at(0), 'x-sluice-signature': '' } },
            { headers: { 'x-sluice-timestamp': at(0), 'x-sluice-signature': sign(at(-1), '{}') } },
        ]) {
            assert.strictEqual((await call([message('a')], options)).status, 401, JSON.stringify(options));
        }
        assert.strictEqual(calls.length, 0);
    },
    async 'an empty target, title or text never leaves'() {
        for (const more of [{ push_clientid: '' }, { push_clientid: [] }, { push_clientid: ['c'] }, { title: ' ' }, { content: '' }, { payload: 'x' }, { payload: null }, { request_id: '' }]) {
            assert.strictEqual((await call([message('a'), message('b', more)])).status, 400, JSON.stringify(more));
        }
        for (const raw of ['', 'x', '{}', '{"messages": 1}', 'null']) {
            assert.strictEqual((await call([], { raw })).status, 400, raw);
        }
        assert.strictEqual((await call(Array.from({ length: 101 }, (_, i) => message('m' + i)))).status, 400);
        assert.strictEqual(calls.length, 0);
    },
};

const ok = (m) => ({ errCode: 0, errMsg: '', data: { RASL_1: { [m.push_clientid]: 'successed_online' } } });

(async () => {
    let failed = 0;
    for (const [name, test] of Object.entries(tests)) {
        calls = []; stored = new Map(); reply = ok; database_works = true;
        try {
            await test();
            console.log('ok   ' + name);
        } catch (e) {
            failed++;
            console.log('FAIL ' + name + '\n' + e.stack);
        }
    }
    fs.rmSync(dir, { recursive: true });
    process.exit(failed === 0 ? 0 : 1);
})();
