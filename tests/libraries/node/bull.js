// Bull: a worker that does 1,000 jobs, plain, delayed, with priorities and failing twice before they succeed; then what it
// has beside: order by priority, pausing, limits, jobs by name, removal, repetition. All of it is scripts, whose keys
// are partly built inside.
'use strict';

const Queue = require('bull');
const {assert, connection, until, program} = require('./program.js');

const JOBS = 1000;
// A job that a worker overlooks, as Bull's can, is looked for after this time in milliseconds instead of five seconds.
const settings = {guardInterval: 200, drainDelay: 1};

async function many() {
  const queue = new Queue('many', {redis: connection, settings});
  const tried = new Map();
  let completed = 0;
  queue.on('completed', () => completed++);
  queue.process(20, async (job) => {
    const n = (tried.get(job.data.i) || 0) + 1;
    tried.set(job.data.i, n);
    if (job.data.kind === 'retried' && n < 3) throw new Error('not yet');
    await job.progress(50);
    return job.data.i * 2;
  });
  const options = {
    plain: () => ({}),
    delayed: (i) => ({delay: 1 + i % 200}),
    retried: () => ({attempts: 3, backoff: 5}),
    priority: (i) => ({priority: 1 + i % 10}),
  };
  const kinds = Object.keys(options);
  const jobs = [];
  for (let i = 0; i < JOBS; i += 100) {
    jobs.push(...await queue.addBulk(Array.from({length: 50}, (_, k) => {
      const kind = kinds[(i + k) % kinds.length];
      return {data: {i: i + k, kind}, opts: options[kind](i + k)};
    })));
    jobs.push(...await Promise.all(Array.from({length: 50}, (_, k) => {
      const kind = kinds[(i + k) % kinds.length];
      return queue.add({i: i + 50 + k, kind}, options[kind](i + 50 + k));
    })));
  }
  await until(() => completed === JOBS, '1,000 jobs are completed');
  const counts = await queue.getJobCounts();
  assert.deepEqual(counts, {waiting: 0, active: 0, completed: JOBS, failed: 0, delayed: 0, paused: 0});
  assert.equal(tried.size, JOBS);
  for (const job of await queue.getCompleted()) {
    assert.equal(job.returnvalue, job.data.i * 2);
    assert.equal(tried.get(job.data.i), job.data.kind === 'retried' ? 3 : 1, `tries of ${job.data.kind}`);
  }
  assert.equal(await jobs[7].finished(), 14);
  await queue.clean(0, 'completed', 400);
  assert.equal(await queue.getCompletedCount(), JOBS - 400);
  await queue.obliterate({force: true});
  await queue.close();
}

async function order() {
  const queue = new Queue('order', {redis: connection, settings});
  await queue.pause();
  for (const priority of [5, 1, 9, 3, 7, 1, 2]) await queue.add({priority}, {priority});
  await queue.add({priority: 0}, {lifo: true});
  assert.equal(await queue.getPausedCount(), 8);
  const seen = [];
  queue.process(async (job) => { seen.push(job.data.priority); });
  await queue.resume();
  await until(() => seen.length === 8, 'jobs run by priority');
  assert.deepEqual(seen.filter((p) => p), [1, 1, 2, 3, 5, 7, 9]);
  await queue.close();
}

async function failures() {
  const queue = new Queue('failures', {redis: connection, settings});
  queue.process(async () => { throw new Error('no luck'); });
  const job = await queue.add({}, {attempts: 2, backoff: {type: 'exponential', delay: 1}});
  await assert.rejects(job.finished(), /no luck/);
  const failed = await until(async () => (await queue.getFailed())[0], 'it is among the failed');
  assert.equal(failed.attemptsMade, 2);
  assert.equal(failed.stacktrace.length, 2);
  await queue.close();
}

async function others() {
  const queue = new Queue('others', {redis: connection, settings, limiter: {max: 5, duration: 300}});
  const first = await queue.add('mail', {n: 1}, {jobId: 'one', delay: 100_000});
  const same = await queue.add('mail', {n: 2}, {jobId: 'one'});
  assert.equal(same.id, first.id);
  assert.equal((await queue.getJob('one')).data.n, 1);
  await first.update({n: 3});
  await first.promote();
  const gone = await queue.add('mail', {}, {delay: 100_000});
  await gone.remove();
  assert.equal(await queue.getJob(gone.id), null);
  await queue.add('tick', {}, {repeat: {every: 20, limit: 3}});
  const done = [];
  queue.process('tick', async () => done.push('tick'));
  queue.process('mail', async (job) => done.push(job.data.n));
  for (let i = 0; i < 8; i++) await queue.add('mail', {n: 'limited'}); // more than the limit lets pass at once
  await until(() => done.length === 12, 'all have run, by the limit');
  assert(done.includes(3));
  assert.equal(done.filter((d) => d === 'tick').length, 3);
  const job = await queue.add('mail', {n: 4}, {delay: 100_000});
  await job.log('a line');
  assert.deepEqual((await queue.getJobLogs(job.id)).logs, ['a line']);
  await queue.removeRepeatable('tick', {every: 20, limit: 3});
  assert.equal((await queue.getRepeatableJobs()).length, 0);
  await queue.empty();
  await queue.close();
}

program(async () => {
  for (const test of [many, order, failures, others]) await test();
});
