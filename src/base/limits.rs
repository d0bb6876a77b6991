//! Every limit, with its reason. Relations between them are asserted at compile time.

/// Octets of a domain name in wire form, RFC 1035 §2.3.4.
pub const NAME_LEN_MAX: usize = 255;
/// Octets of one label, RFC 1035 §2.3.4.
pub const LABEL_LEN_MAX: usize = 63;
/// Labels of a name, the root's empty one not counted: 127 labels of one octet fill 254 octets, the root ends them.
pub const LABELS_MAX: usize = 127;

/// A DNS message over TCP, RFC 1035 §4.2.2: the length prefix has two octets.
pub const MESSAGE_LEN_MAX: usize = 65_535;
/// Octets of one record's data: its length field has two octets, RFC 1035 §3.2.1.
pub const RDATA_LEN_MAX: usize = 65_535;
/// What any client may be sent over UDP without EDNS, RFC 1035 §4.2.1.
pub const UDP_PAYLOAD_PLAIN: usize = 512;
/// What we offer and send over UDP unless told otherwise: DNS flag day 2020, no fragments on any common path.
pub const UDP_PAYLOAD_DEFAULT: usize = 1_232;
/// The largest UDP payload an operator may set; RFC 6891 §6.2.5 recommends no more.
pub const UDP_PAYLOAD_MAX: usize = 4_096;

/// CNAMEs in one answer, those made by DNAMEs counted; longer chains are answered as far as they went.
pub const ALIAS_STEPS_MAX: usize = 16;
/// Records a single answer may hold in its additional section.
pub const ADDITIONAL_NAMES_MAX: usize = 32;

/// Regions in one model: a region set is one `u128`.
pub const REGIONS_MAX: usize = 128;
/// Atlases of one model: each is some megabytes, and more sets of regions than this are hardly meant one by one.
pub const ATLASES_MAX: usize = 256;
/// Milliseconds from one capacity plan to the next while nothing happens.
pub const PLAN_INTERVAL_MS: u64 = 1_000;
/// Milliseconds from one capacity plan to the next whatever happens.
pub const PLAN_GAP_MS: u64 = 200;
/// Name servers that may share the clients of a zone (`plan.peers`): more than any delegation has.
pub const PEERS_MAX: u32 = 64;
/// Services and classes of clients whose demand a lane tells apart, a power of two: sixteen bytes each. What is beyond is
/// planned with as if it were spread like the rest.
pub const DEMAND_SLOTS: usize = 8_192;
/// Splits kept for services that come back to a state: eight kilobytes each.
pub const SPLITS_KEPT_MAX: usize = 256;
/// Steps of the planner for one plan, each some nanoseconds: what takes more is planned in a simpler way.
pub const PLAN_STEPS_MAX: u64 = 200_000_000;
/// Endpoints of one service in one region: a ring that small integers can index, far more than one answer can use.
pub const REGION_ENDPOINTS_MAX: usize = 4_096;
/// Addresses in one steered answer: more would not fit 512 octets beside IPv6 for every name.
pub const ANSWERS_MAX: usize = 8;
/// Buckets a region split is evaluated into at publish: four times as many halve what is off by chance. A share is
/// right to 0.4 %.
pub const REGION_BUCKETS: usize = 4_096;

/// Regions of one set up to which every order of them is told apart; 8! orders are far more than the earth has places
/// for, but with more regions the orders of the far ones would cut the address space into crumbs.
pub const REGIONS_ORDERED_MAX: usize = 8;
/// Tiers of a client class that are exact where a set has more regions; the rest follows from the first of them.
pub const TIERS_EXACT: usize = 4;
/// Ranks of regions that measurements decide; the rest stays as distance has it. Nobody gets to the ninth best.
pub const LATENCY_RANKS_MAX: usize = 8;
/// Classes of clients of one atlas that ranks by latency: as many as a lane can count the demand of, and a plan be made for.
pub const LATENCY_CLASSES_MAX: usize = 2_048;
/// Round trips between one network and one region that count within [`LATENCY_BURST_MS`]: who floods says no more than
/// who measures now and then, and whoever turns a median needs twenty seconds at least.
pub const LATENCY_BURST_MAX: u32 = 16;
/// See [`LATENCY_BURST_MAX`].
pub const LATENCY_BURST_MS: u64 = 10_000;
/// Round trips between one network and one region that count at once: more would only make the median slower to follow.
pub const LATENCY_MASS_MAX: u32 = 64;
/// The shortest round trip that is believed, microseconds: within one building.
pub const LATENCY_US_MIN: u32 = 50;
/// The longest, microseconds: by two satellites, and some queues.
pub const LATENCY_US_MAX: u32 = 10_000_000;
/// How old a measurement may be that is pushed, milliseconds: a batch that could not be sent for a while, no replay.
pub const LATENCY_AGE_MAX_MS: u64 = 600_000;
/// How far ahead of ours another clock may go, milliseconds.
pub const LATENCY_AHEAD_MAX_MS: u64 = 10_000;
/// Measurements in one batch.
pub const LATENCY_PUSHED_MAX: usize = 10_000;
/// Octets of one batch.
pub const LATENCY_BODY_LEN_MAX: usize = 1 << 20;
/// Round trips that one measurement may stand for.
pub const LATENCY_SAMPLES_MAX: u32 = 1_000;
/// Names of batches that are remembered, so that a batch that is sent again counts once: an hour of one a second from
/// eighteen senders.
pub const LATENCY_BATCHES_MAX: usize = 65_536;
/// For how long they are remembered, milliseconds: longer than anything in a batch may be old.
pub const LATENCY_BATCHES_MS: u64 = 3_600_000;
/// Octets of the name of a batch.
pub const LATENCY_BATCH_NAME_LEN_MAX: usize = 128;
/// Refusals that are told one by one; a sender that is wrong is wrong in the same way again and again.
pub const REFUSALS_TOLD_MAX: usize = 20;
/// Resolvers that a node may measure a second: a few packets each, less than a busy resolver sends us.
pub const VANTAGE_RATE_MAX: u32 = 200;
/// Networks of resolvers that are remembered, so that each is measured no more often than it may be.
pub const VANTAGE_TARGETS_MAX: usize = 100_000;
/// Measurements of resolvers at once.
pub const VANTAGE_PENDING_MAX: usize = 256;
/// How long a resolver has to answer, milliseconds.
pub const VANTAGE_TIMEOUT_MS: u64 = 2_000;
/// A resolver that did not ask for so long is not measured, milliseconds.
pub const VANTAGE_SEEN_MS: u64 = 3_600_000;
/// How often it is looked which resolvers to forget, milliseconds: a pass over all of them.
pub const VANTAGE_FORGET_MS: u64 = 60_000;
/// The longest pause between two measurements of a resolver that does not answer, milliseconds: a day.
pub const VANTAGE_PAUSE_MAX_MS: u64 = 86_400_000;
/// Addresses that a thread remembers of those who asked it, until they are looked at.
pub const ASKED_KEPT: usize = 64;
/// Networks that can be remembered, some three kilobytes of each with three regions and all that follows from them.
pub const LATENCY_NETWORKS_MAX: usize = 2_000_000;
/// Tasks that may wait for the thread that surveys: beyond this whoever pushes is told to wait.
pub const LATENCY_TASKS_MAX: usize = 32;
/// How often what was measured is written to the state folder, milliseconds.
pub const LATENCY_SAVE_MS: u64 = 300_000;
/// Octets of a file of measurements that is imported at once.
pub const LATENCY_FILE_LEN_MAX: usize = 16 << 20;
/// Networks that may change their best region within ten minutes, however few are measured: a share of few is none.
pub const LATENCY_MOVES_MIN: usize = 20;
/// Seconds after which a location database is called old: within a year several percent of all networks move.
pub const DATABASE_AGE_MAX_S: u64 = 366 * 86_400;

/// `$INCLUDE` nesting: deeper is a cycle in all but name.
pub const INCLUDE_DEPTH_MAX: usize = 16;
/// Records one `$GENERATE` line may make: a typo must not fill the memory.
pub const GENERATE_MAX: u64 = 1_048_576;
/// Findings kept in one report; the rest are counted. More than anyone reads, less than a broken 1 GB file makes.
pub const DIAGNOSTICS_MAX: usize = 1_000;
/// Bytes of a source line shown with a finding.
pub const EXCERPT_LEN_MAX: usize = 160;

/// Octets of one UDP query taken; longer ones are dropped and counted. Real queries are below 300, padded ones below 600.
pub const UDP_QUERY_LEN_MAX: usize = 2_048;
/// Bytes asked of the kernel for one UDP socket's receive queue: about 20 ms of a flood of 300,000 queries a second,
/// each charged some 700 bytes.
pub const UDP_RECEIVE_BUFFER: usize = 4 << 20;
/// Milliseconds after which an idle UDP thread looks up: for a newer snapshot to hold and for the end of service.
pub const UDP_IDLE_MS: u64 = 200;
/// Milliseconds a UDP thread goes on answering what is queued once the end of service has begun.
pub const UDP_DRAIN_MS: u64 = 1_000;

/// Batches of UDP queries of which one is timed: reading the clock twice costs as much as a tenth of a query.
pub const UDP_TIMED_BATCHES: u32 = 64;

/// Bytes read from a stream at once; a connection holds none of it between reads.
pub const STREAM_READ_LEN: usize = 16 << 10;
/// Bytes of answers written to a stream at once: the least that always takes one whole answer after another.
pub const STREAM_WRITE_LEN: usize = 2 * (2 + MESSAGE_LEN_MAX);
/// Milliseconds between two looks at the timeouts of all connections of a thread.
pub const STREAM_TICK_MS: u64 = 100;
/// Milliseconds a connection must have been silent before another may take its place when all places are taken.
pub const STREAM_IDLE_EVICT_MS: u64 = 1_000;
/// Connections the kernel keeps waiting for one listener; `net.core.somaxconn` may lower it.
pub const STREAM_BACKLOG: i32 = 4_096;
/// Milliseconds open connections are given to take their answers once the end of service has begun.
pub const STREAM_DRAIN_MS: u64 = 5_000;
/// Leading bits of a client's address that count as one client, IPv4.
pub const CLIENT_PREFIX_V4: u8 = 32;
/// Leading bits of a client's address that count as one client, IPv6: what one site is given (RFC 6177).
pub const CLIENT_PREFIX_V6: u8 = 56;

/// Connections to the admin listener at one time: people and a scraper, never a crowd.
pub const ADMIN_CONNECTIONS_MAX: usize = 1_024;
/// Clients that follow the event stream at one time: dashboards left open; the rest of the connections are for requests.
pub const STREAM_CLIENTS_MAX: usize = 512;
/// Messages waiting for one client of the event stream: whoever reads so slowly is better served by a new start.
pub const STREAM_QUEUE_MAX: usize = 1_024;
/// Milliseconds between two comments on a silent event stream: less than what proxies allow.
pub const STREAM_ALIVE_MS: u64 = 15_000;
/// Milliseconds between two tellings of the traffic on the event stream.
pub const STREAM_TRAFFIC_MS: u64 = 2_000;
/// Milliseconds a client of the admin listener may leave an answer untaken: a dashboard in a sleeping laptop.
pub const ADMIN_STALL_MS: u64 = 20_000;
/// Milliseconds a connection to the admin listener may say nothing: longer than any reload takes.
pub const ADMIN_QUIET_MS: u64 = 120_000;
/// Octets of a body sent to the admin listener: the largest sensible one has less than two kilobytes.
pub const ADMIN_BODY_LEN_MAX: usize = 64 << 10;
/// Requests for a change that one client may make at once, and how many more each second.
pub const CHANGES_CLIENT: (u32, u32) = (60, 20);
/// Requests for a change that all clients together may make at once, and how many more each second.
pub const CHANGES_TOTAL: (u32, u32) = (200, 100);
/// Pushes of readings that one client may make at once, and how many more each second: a proxy for each service.
pub const PUSHES_CLIENT: (u32, u32) = (100, 50);
/// Pushes that all clients together may make at once, and how many more each second: 2,500 servers that push each 5 s.
pub const PUSHES_TOTAL: (u32, u32) = (1_000, 500);
/// Clients whose requests are counted apart; more than these together have the pace of one.
pub const PACED_CLIENTS_MAX: usize = 1_024;
/// Milliseconds between two events about refused access: a scan must not push everything else out of the journal.
pub const ACCESS_REFUSED_MS: u64 = 60_000;
/// Octets of a text in an event about a change, where it comes from a request: a line, not a document.
pub const AUDIT_TEXT_LEN_MAX: usize = 400;
/// Tokens of the admin listener: people and programs by name, not a user database.
pub const TOKENS_MAX: usize = 256;
/// Networks of one country that the world map asks about: the places where most of its clients are.
pub const SAMPLES_EACH: usize = 16;
/// Services shown in one preview; the rest are counted.
pub const PREVIEW_SERVICES_MAX: usize = 100;
/// Events the publisher takes in before it publishes, and generations that wait to be freed.
pub const EVENTS_MAX: usize = 256;
/// Bytes of one file of the event journal; two are kept: weeks of a quiet network, hours of a bad one.
pub const JOURNAL_FILE_LEN_MAX: u64 = 8 << 20;
/// Events kept in memory for the admin listener: some megabytes at most.
pub const JOURNAL_RECENT_MAX: usize = 4_096;
/// How long whoever reads the journal waits for events that are on their way to it: longer than a busy disk takes, and
/// shorter than people wait.
pub const JOURNAL_WAIT_MS: u64 = 2_000;
/// Events and states waiting to be written: what a region with thousands of endpoints says when it fails.
pub const RECORDS_MAX: usize = 65_536;
/// Milliseconds between two writings of the state file: what a crash may forget.
pub const STATE_INTERVAL_MS: u64 = 1_000;
/// Milliseconds that the end of the process waits for the state file.
pub const STATE_SAVE_MS: u64 = 5_000;
/// Seconds between two samples of the history that no change asks for.
pub const HISTORY_STEP_S: u64 = 60;
/// Samples of changes within an hour, beside the regular ones: a flapping region must not push out the week.
pub const HISTORY_CHANGES_MAX: usize = 240;
/// Samples of loads that cross their target or max within an hour, beside those: capacity planning keeps loads at targets.
pub const HISTORY_CROSSINGS_MAX: usize = 60;
/// Bytes of one file of the history; two are kept. A region takes some 180: of 36 regions that is a week in one file without
/// changes, of the most regions two days.
pub const HISTORY_FILE_LEN_MAX: u64 = 64 << 20;
/// Milliseconds that one file of the history spans; with the one before it there is always a week.
pub const HISTORY_FILE_SPAN_MS: u64 = 7 * 86_400_000;
/// Samples returned by one request for the history: more than a screen has columns that can be told apart.
pub const HISTORY_SHOWN_MAX: usize = 1_000;
/// Webhooks: more receivers than this want a message bus.
pub const WEBHOOKS_MAX: usize = 16;
/// Events waiting for one webhook's receiver; the newest are dropped, loudly, if it can't keep up.
pub const WEBHOOK_QUEUE_MAX: usize = 1_024;
/// Events under way to one webhook's receiver at one time.
pub const WEBHOOK_FLIGHTS_MAX: usize = 8;
/// Times an event is sent to a receiver that does not take it; with the pauses between that is about two hours.
pub const WEBHOOK_ATTEMPTS_MAX: u32 = 16;
/// Milliseconds before the second attempt; each pause is twice the one before, up to [`WEBHOOK_PAUSE_MAX_MS`].
pub const WEBHOOK_PAUSE_MS: u64 = 500;
/// Milliseconds between two attempts at most.
pub const WEBHOOK_PAUSE_MAX_MS: u64 = 1_800_000;
/// Milliseconds a receiver has to take an event.
pub const WEBHOOK_TIMEOUT_MS: u64 = 10_000;
/// Octets of the answer of a receiver that are read: its status is all that counts.
pub const WEBHOOK_ANSWER_LEN_MAX: usize = 64 << 10;
/// Events returned by one request to the admin listener.
pub const EVENTS_SHOWN_MAX: usize = 1_000;
/// Reload requests waiting for the loader; one load answers all that wait, so a full queue means somebody loops.
pub const RELOADS_MAX: usize = 64;
/// Milliseconds between two publications, the first one after a pause excepted.
pub const PUBLISH_INTERVAL_MS: u64 = 10;
/// Milliseconds after which the publisher looks again whether retired snapshots are still held.
pub const RETIRED_POLL_MS: u64 = 100;
/// Zones with metrics of their own; with more of them only the totals are shown.
pub const ZONE_SERIES_MAX: usize = 1_000;
/// Services, endpoints, addresses or rows of answers with series of their own: what a monitoring server takes from one
/// target without complaint. A row of answers has a series for each reason met, of ten. With more of them, answers are counted by policy, and the others are left out.
pub const METRIC_SERIES_MAX: usize = 10_000;
/// Health checks with series of their own, about twenty each.
pub const CHECK_SERIES_MAX: usize = 500;
/// Milliseconds that somebody who asks for metrics waits for those of control; without it there are only the others.
pub const FIGURES_WAIT_MS: u64 = 2_000;
/// Seconds over which rates of answers are averaged: long enough to be calm, short enough to see a failover.
pub const TRAFFIC_WINDOW_S: usize = 10;
/// Rates of services, regions and reasons shown at once, the greatest first: a page draws no more.
pub const TRAFFIC_SHOWN_MAX: usize = 1_000;
/// Times a zone file is read again because it changed while it was read.
pub const READ_ATTEMPTS_MAX: usize = 3;
/// Milliseconds within which a file's time of change proves nothing: a second write may bear the same time.
pub const FRESH_FILE_MS: u64 = 2_000;
/// A reload that takes away more than one zone in this many is refused unless forced.
pub const REMOVED_SHARE: usize = 2;
/// Findings of one reload returned over the admin interface; the log has all of them.
pub const FINDINGS_SHOWN_MAX: usize = 100;

/// Bytes of a text in a check (what is sent, what must come back, a header's value): longer ones belong into a program.
pub const CHECK_TEXT_LEN_MAX: usize = 4_096;
/// Headers of one check: what a request line and its headers take stays far below what any server accepts.
pub const PROBE_HEADERS_MAX: usize = 32;
/// Bytes a compiled regular expression may take: the default of its compiler allows ten times as much, per check.
pub const PATTERN_SIZE_MAX: usize = 1 << 20;
/// Bytes of a body read unless told otherwise: status pages are smaller.
pub const PROBE_BODY_LEN_DEFAULT: usize = 64 << 10;
/// The most bytes of a body an operator may have read: with every probe in flight doing so, still 4 GiB at the worst.
pub const PROBE_BODY_LEN_MAX: usize = 1 << 20;
/// Bytes received in which `expect` is looked for: a greeting, not a document.
pub const PROBE_EXPECT_LEN_MAX: usize = 4_096;
/// Bytes of the head of an HTTP answer: what common servers can be made to send at most.
pub const PROBE_HEAD_LEN_MAX: usize = 64 << 10;
/// Bytes of a message of the gRPC health protocol taken: its own takes seven.
pub const PROBE_GRPC_LEN_MAX: usize = 4_096;
/// Characters of a reason that come from outside (a program's first line, a TLS library's words).
pub const PROBE_REASON_LEN_MAX: usize = 200;
/// Days of life left that can be asked of a certificate: none is issued for longer than about a year.
pub const CERTIFICATE_DAYS_MAX: u32 = 365;
/// Milliseconds from one probe of a target to the next at least: faster checks would measure themselves.
pub const PROBE_INTERVAL_MIN_MS: u64 = 100;
/// Probes at work at one time, each with an open file: 1,000 checks a second that all wait for a timeout of four seconds.
pub const PROBES_MAX: usize = 4_096;
/// Programs of `exec` checks at one time: each is a process, and they share the cores with the answers.
pub const PROBE_PROGRAMS_MAX: usize = 16;
/// Milliseconds over which the very first probes are spread: answers wait for them.
pub const PROBE_FIRST_SPREAD_MS: u64 = 1_000;

/// So many targets may go on as they started in the first round, all within a moment: more take places all over the
/// interval, because a burst of probes every few seconds would make both probes and answers late.
pub const PROBE_BURST_MAX: usize = 100;
/// Milliseconds between two looks at how late the probes' runtime is.
pub const PROBE_LAG_TICK_MS: u64 = 10;
/// Milliseconds of lag within a probe's life that excuse nothing: the scheduler of a busy machine is no cleaner.
pub const PROBE_LAG_MIN_MS: u64 = 50;
/// A probe that timed out is excused if its runtime lagged for more than this part of the timeout.
pub const PROBE_LAG_SHARE: u32 = 4;
/// Milliseconds that a program's output is waited for after its end: something it started may hold it open.
pub const PROBE_DRAIN_MS: u64 = 20;

/// Percent of its clients that an active-passive service may send to its passive region: more is not a trickle.
pub const TRICKLE_MAX: u8 = 20;
/// Steps in which a recovered region gets its share back: each is small enough for caches and servers to warm up.
pub const RAMP_STEPS: u32 = 10;
/// Milliseconds a `force up` lasts at most: it blinds the server to a failure, so nobody may forget it for long.
pub const FORCE_UP_MS_MAX: u64 = 24 * 60 * 60 * 1_000;
/// Names of one event that are listed; the rest are counted. A line that people read holds no more.
pub const EVENT_NAMES_MAX: usize = 16;
/// Events of one kind in one region that one step tells one by one; more of them are told as one.
pub const EVENTS_EACH_MAX: usize = 16;
/// Milliseconds between two probes of a reference target: it must have spoken long before a suspicion ends.
pub const REFERENCE_INTERVAL_MS: u64 = 2_000;
/// Milliseconds a reference target has to accept a connection.
pub const REFERENCE_TIMEOUT_MS: u64 = 1_500;
/// Milliseconds to the next probe of a target that is no longer known: long enough for word of that to arrive.
pub const STRAY_PROBE_MS: u64 = 10_000;
/// Octets of an operator's name or reason that are kept: a line, not a document.
pub const OVERRIDE_TEXT_LEN_MAX: usize = 2_000;
/// Characters of an operator's name or reason that are taken over the admin listener.
pub const WORDS_LEN_MAX: usize = 400;
/// Seconds that a word of an operator may be given: ten years, beyond which it is meant without an end.
pub const OVERRIDE_S_MAX: u32 = 10 * 365 * 86_400;
/// Milliseconds between two looks at shares by load: no feed says more in less.
pub const BALANCE_LOOK_MS: u64 = 1_000;
/// Milliseconds over which shares by load follow what is fed, at least: feeds and servers take seconds, whatever the TTL.
pub const BALANCE_EASE_MS_MIN: u64 = 10_000;
/// The same at most: of a long TTL nobody waits for the end.
pub const BALANCE_EASE_MS_MAX: u64 = 600_000;
/// Metrics of one load feed: what an algorithm can weigh, not a monitoring system.
pub const FEED_METRICS_MAX: usize = 16;
/// Octets of the document of a load feed: the metrics page of a large proxy.
pub const FEED_BODY_LEN_MAX: usize = 256 << 10;
/// Octets of what an agent says: a line.
pub const FEED_AGENT_LEN_MAX: usize = 1_024;
/// Milliseconds a load feed has to answer; never more than until it is asked again.
pub const FEED_TIMEOUT_MS: u64 = 5_000;
/// Load feeds asked at one time, each with an open file: 10,000 that answer within 20 ms are through in a second.
pub const FEEDS_ASKED_MAX: usize = 256;
/// Load feeds asked at one time that failed or were slow when they were asked before: they wait for each other alone.
pub const FEEDS_ILL_MAX: usize = 64;
/// Milliseconds after which a load feed counts as slow.
pub const FEED_SLOW_MS: u64 = 1_000;
/// The largest number of a load feed, in thousandths: 10^15, far above the bits a second of any network.
pub const FEED_VALUE_MAX: u64 = 1_000_000_000_000_000_000;
/// A load this many times what the region can carry is a mistake in the unit or in the feed.
pub const FEED_OVER_MAX: u64 = 100;
/// Milliseconds by which a pushed reading may be ahead of our clock.
pub const FEED_FUTURE_MS: u64 = 5_000;
/// Readings in one push: what fits the body.
pub const LOADS_PUSHED_MAX: usize = 2_000;
/// Octets of the body of a push of readings.
pub const LOADS_BODY_LEN_MAX: usize = 256 << 10;
/// Words of operators kept at one time: people set them, so more than this is a program gone wild.
pub const OVERRIDES_MAX: usize = 10_000;
/// Safety rules in one model: people have to know them, and each is looked at with every change.
pub const SAFETY_RULES_MAX: usize = 64;
/// Milliseconds until automation that a safety rule holds is tried again: soon for whoever waits, seldom for the processor.
pub const SAFETY_RETRY_MS: u64 = 10_000;
/// Milliseconds from one step of an evacuation to the next, unless the order says more or caches need longer: time to see
/// in feeds and alarms what a step has done.
pub const EVACUATION_EVERY_MS: u64 = 60_000;
/// Milliseconds until an evacuation that is held is looked at again.
pub const EVACUATION_RETRY_MS: u64 = 10_000;
/// Percent of a region's share that a step of an evacuation takes at least: each step is planned for a preview.
pub const EVACUATION_STEP_MIN: u8 = 5;
/// Percent of a region's share that a step of an evacuation takes unless the order says so.
pub const EVACUATION_STEP: u8 = 25;
/// Milliseconds from one look for steps that are due to the next.
pub const EVACUATION_LOOK_MS: u64 = 1_000;
/// Connections that an agent remembers, some forty bytes each: what it has counted of each of them. More are not looked at.
pub const AGENT_CONNECTIONS_MAX: usize = 262_144;
/// Pairs of client network and region of which an agent keeps round trips within one interval.
pub const AGENT_NETWORKS_MAX: usize = 65_536;
/// Round trips that an agent keeps within one interval, four bytes each.
pub const AGENT_SAMPLES_ALL_MAX: usize = 1 << 20;
/// Networks in one report of an agent: with the longest key of a region they fit the body that the API takes.
pub const AGENT_REPORT_MAX: usize = 4_000;
/// Networks in one report of an agent unless it is told otherwise: the rest of an interval has a connection or two each.
pub const AGENT_REPORT_DEFAULT: usize = 2_000;
/// Local ports that an agent looks at: the kernel goes through them for each of its connections.
pub const AGENT_PORTS_MAX: usize = 64;
/// Nodes that one agent reports to, each with a queue of its own.
pub const AGENT_NODES_MAX: usize = 32;
/// Milliseconds the kernel has for one part of the list of connections.
pub const AGENT_KERNEL_MS: u64 = 5_000;
/// Milliseconds from one reading of an agent to the next, at least: the API counts batches, and little changes in less.
pub const AGENT_EVERY_MS_MIN: u64 = 1_000;
/// The same at most: a measurement is taken by the API for ten minutes.
pub const AGENT_EVERY_MS_MAX: u64 = 300_000;
/// Reports that wait for one node; the oldest gives way. A node that is away for as long as reports are taken misses none
/// at the usual interval.
pub const AGENT_QUEUE_MAX: usize = 64;
/// Milliseconds after which a report is not sent any more: the API takes ten minutes, from which the way there goes off.
pub const AGENT_REPORT_AGE_MS: u64 = 590_000;
/// Milliseconds a node has to answer a report.
pub const AGENT_TIMEOUT_MS: u64 = 10_000;
/// Octets of a node's answer that are read.
pub const AGENT_ANSWER_LEN_MAX: usize = 64 << 10;
/// Milliseconds before a report that was not taken is sent again; each pause is twice the one before.
pub const AGENT_PAUSE_MS: u64 = 1_000;
/// The longest of these pauses in milliseconds, and the one after a token was refused.
pub const AGENT_PAUSE_MS_MAX: u64 = 60_000;
/// Milliseconds an agent that ends has to send what is pending.
pub const AGENT_END_MS: u64 = 3_000;
/// Octets of a beacon: each region takes some twenty.
pub const BEACON_LEN_MAX: usize = 2_048;
/// Regions that beacons of one agent may tell of: what a page can measure without being a burden.
pub const BEACON_REGIONS_MAX: usize = 32;
/// Connections of beacons at one time, each with an open file and some kilobytes.
pub const BEACON_CONNECTIONS_MAX: usize = 256;
/// Milliseconds a connection of a beacon has, from its first octet to its last: it carries one request.
pub const BEACON_CONNECTION_MS: u64 = 10_000;
/// Beacons of one client network in a minute: a household that opens pages, not somebody who invents measurements.
pub const BEACONS_NETWORK_MAX: u32 = 12;
/// Beacons in a minute, of all networks: what is above that tells a median nothing.
pub const BEACONS_ALL_MAX: u32 = 30_000;
/// Milliseconds over which beacons are limited.
pub const BEACON_PACE_MS: u64 = 60_000;
/// Characters of an agent's name: with the rest of a batch's id they fit what the API takes.
pub const AGENT_NAME_LEN_MAX: usize = 64;

const _: () = assert!(STREAM_CLIENTS_MAX < ADMIN_CONNECTIONS_MAX && STREAM_TRAFFIC_MS < STREAM_ALIVE_MS);
const _: () = assert!(WORDS_LEN_MAX * 4 < OVERRIDE_TEXT_LEN_MAX);
const _: () = assert!(ADMIN_STALL_MS < ADMIN_QUIET_MS);
const _: () = assert!(REFERENCE_TIMEOUT_MS < REFERENCE_INTERVAL_MS);
const _: () = assert!(UDP_PAYLOAD_PLAIN <= UDP_PAYLOAD_DEFAULT && UDP_PAYLOAD_DEFAULT <= UDP_PAYLOAD_MAX);
const _: () = assert!(UDP_PAYLOAD_MAX <= MESSAGE_LEN_MAX);
const _: () = assert!(LABELS_MAX * 2 < NAME_LEN_MAX);
const _: () = assert!(REGIONS_MAX <= u128::BITS as usize);
const _: () = assert!(UDP_QUERY_LEN_MAX >= UDP_PAYLOAD_DEFAULT);
const _: () = assert!(STREAM_WRITE_LEN >= 2 + MESSAGE_LEN_MAX);
const _: () = assert!(PROBE_BODY_LEN_DEFAULT <= PROBE_BODY_LEN_MAX);
const _: () = assert!(CHECK_TEXT_LEN_MAX <= PROBE_EXPECT_LEN_MAX && CHECK_TEXT_LEN_MAX <= PROBE_BODY_LEN_DEFAULT);
const _: () = assert!(AGENT_REPORT_DEFAULT <= AGENT_REPORT_MAX && AGENT_EVERY_MS_MAX < AGENT_REPORT_AGE_MS);
const _: () = assert!(AGENT_PAUSE_MS <= AGENT_PAUSE_MS_MAX);
