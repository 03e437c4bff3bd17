// BullMQ: workers that do 1,000 jobs, plain, delayed, with priorities and failing twice before they succeed; and what it has
// beside: flows, deduplication, schedulers, limits, stalled jobs. All of it is scripts, which build keys inside.
'use strict';

const {Queue, Worker, QueueEvents, FlowProducer, UnrecoverableError} = require('bullmq');
const {assert, connection, until, program} = require('./program.js');

const JOBS = 1000;
const opened = [];

function keep(thing) {
  thing.on('error', (error) => console.error(error));
  opened.unshift(thing);
  return thing;
}

const queueOf = (name) => keep(new Queue(name, {connection}));
const workerOf = (name, work, options) => keep(new Worker(name, work, {connection, drainDelay: 1, ...options}));

async function many() {
  const queue = queueOf('many');
  const tried = new Map();
  const worker = workerOf('many', async (job) => {
    const n = (tried.get(job.data.i) || 0) + 1;
    tried.set(job.data.i, n);
    if (job.name === 'retried' && n < 3) throw new Error('not yet');
    await job.updateProgress(50);
    return job.data.i * 2;
  }, {concurrency: 20});
  let completed = 0;
  worker.on('completed', () => completed++);
  const options = {
    plain: () => ({}),
    delayed: (i) => ({delay: 1 + i % 200}),
    retried: () => ({attempts: 3, backoff: 5}),
    priority: (i) => ({priority: 1 + i % 10}),
  };
  const kinds = Object.keys(options);
  for (let i = 0; i < JOBS; i += 100) {
    const batch = Array.from({length: 100}, (_, k) => {
      const name = kinds[k % kinds.length];
      return {name, data: {i: i + k}, opts: options[name](i + k)};
    });
    await queue.addBulk(batch.slice(50));
    await Promise.all(batch.slice(0, 50).map(({name, data, opts}) => queue.add(name, data, opts)));
  }
  await until(() => completed === JOBS, '1,000 jobs are completed');
  const counts = await queue.getJobCounts();
  assert.equal(counts.completed, JOBS);
  assert.equal(counts.active + counts.wait + counts.waiting + counts.delayed + counts.failed + counts.prioritized || 0, 0);
  for (const job of await queue.getCompleted(0, JOBS)) {
    assert.equal(job.returnvalue, job.data.i * 2);
    assert.equal(tried.get(job.data.i), job.name === 'retried' ? 3 : 1, `tries of ${job.name}`);
  }
  assert.equal((await queue.clean(0, 400, 'completed')).length, 400);
  assert.equal(await queue.getCompletedCount(), JOBS - 400);
}

async function order() {
  const queue = queueOf('order');
  for (const priority of [5, 1, 9, 3, 7, 1, 2]) await queue.add('job', {priority}, {priority});
  await queue.add('job', {priority: 0});
  assert.deepEqual(await queue.getCountsPerPriority([0, 1, 5]), {0: 1, 1: 2, 5: 1});
  const seen = [];
  workerOf('order', async (job) => { seen.push(job.data.priority); });
  await until(() => seen.length === 8, 'jobs run by priority');
  assert.deepEqual(seen, [0, 1, 1, 2, 3, 5, 7, 9]);
}

async function flows() {
  const events = keep(new QueueEvents('parents', {connection}));
  await events.waitUntilReady();
  workerOf('children', async (job) => job.data.n * 10, {concurrency: 5});
  workerOf('parents', async (job) => Object.values(await job.getChildrenValues()).reduce((sum, v) => sum + v, 0));
  const producer = keep(new FlowProducer({connection}));
  const child = (n) => ({name: 'child', queueName: 'children', data: {n}});
  const tree = await producer.add({
    name: 'root', queueName: 'parents', children: [
      {name: 'middle', queueName: 'parents', children: [child(1), child(2), child(3)]},
      child(4), child(5),
    ],
  });
  assert.equal(await tree.job.waitUntilFinished(events, 60_000), 150);
}

async function failures() {
  const queue = queueOf('failures');
  const events = keep(new QueueEvents('failures', {connection}));
  await events.waitUntilReady();
  workerOf('failures', async (job) => {
    throw job.name === 'hopeless' ? new UnrecoverableError('given up') : new Error('no luck');
  });
  const job = await queue.add('unlucky', {}, {attempts: 2, backoff: {type: 'exponential', delay: 1}});
  await assert.rejects(job.waitUntilFinished(events, 60_000), /no luck/);
  const hopeless = await queue.add('hopeless', {}, {attempts: 9});
  await assert.rejects(hopeless.waitUntilFinished(events, 60_000), /given up/);
  assert.deepEqual((await queue.getFailed()).map((j) => j.attemptsMade).sort(), [1, 2]);
}

async function others() {
  const queue = queueOf('others');
  const first = await queue.add('mail', {n: 1}, {deduplication: {id: 'same'}, delay: 100_000});
  const second = await queue.add('mail', {n: 2}, {deduplication: {id: 'same'}});
  assert.equal(second.id, first.id);
  await first.updateData({n: 3});
  await first.changePriority({priority: 4});
  await first.promote();
  const gone = await queue.add('mail', {}, {delay: 100_000});
  await gone.remove();
  assert.equal(await queue.getJob(gone.id), undefined);
  await queue.upsertJobScheduler('ticks', {every: 30, limit: 3}, {name: 'tick'});
  const done = [];
  workerOf('others', async (job) => { done.push(job.name === 'tick' ? 'tick' : job.data.n); },
    {limiter: {max: 10, duration: 200}, concurrency: 5});
  await queue.addBulk(Array.from({length: 20}, () => ({name: 'mail', data: {n: 'limited'}})));
  await until(() => done.length === 24, 'all have run, by the limit');
  assert(done.includes(3));
  await queue.pause();
  const job = await queue.add('mail', {n: 4});
  await job.log('a line');
  assert.deepEqual((await queue.getJobLogs(job.id)).logs, ['a line']);
  assert.equal(await queue.isPaused(), true);
  await queue.drain();
  assert.equal(await queue.getJob(job.id), undefined);
  await queue.obliterate({force: true});
}

async function stalled() {
  const queue = queueOf('stalled');
  const lost = keep(new Worker('stalled', null, {connection, lockDuration: 50}));
  await queue.add('job', {});
  await lost.waitUntilReady();
  assert(await lost.getNextJob('a worker that dies'));
  const done = [];
  workerOf('stalled', async (job) => { done.push(job.name); }, {stalledInterval: 60});
  await until(() => done.length === 1, 'a job whose worker died runs again');
}

program(async () => {
  for (const test of [many, order, flows, failures, others, stalled]) await test();
  for (const thing of opened) await thing.close();
});
