package commands

import (
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/pubsub"
	"github.com/larderkv/larder/store/lex"
)

// Publish and subscribe. What a subscription is, and in which order messages and confirmations come,
// stands in engine/pubsub.go. Nothing of it is in the log: a message is for those who listen now.

func pubsubCommands() []engine.Spec {
	const (
		open      = engine.PubSub | engine.Loading | engine.Stale
		subscribe = open | engine.NoScript | engine.WhileSubscribed | engine.ManyReplies
		publish   = open | engine.Fast | engine.PausesAsWrite
	)
	notKeys := []engine.KeySpec{engine.KeyRange(1, -1, 1, engine.NotKey)}
	each := "O(N) where N is the number of channels to unsubscribe."
	return []engine.Spec{
		{Name: "subscribe", Handler: subscribeTo(pubsub.Channels), Arity: -2, Flags: subscribe,
			Channels: engine.ChannelArgs{First: 1, Last: -1},
			Group:    "pubsub", Since: "2.0.0", Syntax: "channel=string [channel=string ...]",
			Summary:    "Listens for messages published to channels.",
			Complexity: "O(N) where N is the number of channels to subscribe to."},
		{Name: "unsubscribe", Handler: unsubscribeFrom(pubsub.Channels), Arity: -1, Flags: subscribe,
			Group: "pubsub", Since: "2.0.0", Syntax: "[channel=string [channel=string ...]]",
			Summary:    "Stops listening to messages posted to channels, or to all.",
			Complexity: each},
		{Name: "psubscribe", Handler: subscribeTo(pubsub.Patterns), Arity: -2, Flags: subscribe,
			Channels: engine.ChannelArgs{First: 1, Last: -1, Patterns: true},
			Group:    "pubsub", Since: "2.0.0", Syntax: "pattern [pattern ...]",
			Summary:    "Listens for messages published to channels that match patterns.",
			Complexity: "O(N) where N is the number of patterns to subscribe to."},
		{Name: "punsubscribe", Handler: unsubscribeFrom(pubsub.Patterns), Arity: -1, Flags: subscribe,
			Group: "pubsub", Since: "2.0.0", Syntax: "[pattern [pattern ...]]",
			Summary:    "Stops listening to messages published to channels that match patterns, or any.",
			Complexity: "O(N) where N is the number of patterns to unsubscribe."},
		{Name: "publish", Handler: cmdPublish, Arity: 3, Flags: publish,
			Channels: engine.ChannelArgs{First: 1, Last: 1},
			Group:    "pubsub", Since: "2.0.0", Syntax: "channel=string message=string",
			Summary:    "Posts a message to a channel.",
			Complexity: "O(N+M) where N is the number of clients subscribed to the receiving channel and M is the number of patterns that look like it."},
		{Name: "ssubscribe", Handler: subscribeTo(pubsub.ShardChannels), Arity: -2, Flags: subscribe, Keys: notKeys,
			Channels: engine.ChannelArgs{First: 1, Last: -1},
			Group:    "pubsub", Since: "7.0.0", Syntax: "shardchannel=string [shardchannel=string ...]",
			Summary:    "Listens for messages published to shard channels.",
			Complexity: "O(N) where N is the number of shard channels to subscribe to."},
		{Name: "sunsubscribe", Handler: unsubscribeFrom(pubsub.ShardChannels), Arity: -1, Flags: subscribe, Keys: notKeys,
			Group: "pubsub", Since: "7.0.0", Syntax: "[shardchannel=string [shardchannel=string ...]]",
			Summary:    "Stops listening to messages posted to shard channels, or to all.",
			Complexity: "O(N) where N is the number of shard channels to unsubscribe."},
		{Name: "spublish", Handler: cmdSpublish, Arity: 3, Flags: publish, Keys: []engine.KeySpec{engine.Key(1, engine.NotKey)},
			Channels: engine.ChannelArgs{First: 1, Last: 1},
			Group:    "pubsub", Since: "7.0.0", Syntax: "shardchannel=string message=string",
			Summary:    "Posts a message to a shard channel.",
			Complexity: "O(N) where N is the number of clients subscribed to the receiving shard channel."},
		pubsubContainer(),
	}
}

func pubsubContainer() engine.Spec {
	const flags = engine.PubSub | engine.Loading | engine.Stale
	sub := func(name string, handler engine.Handler, arity int, since, syntax, summary, complexity string) engine.Spec {
		return engine.Spec{Name: name, Handler: handler, Arity: arity, Flags: flags, Group: "pubsub",
			Since: since, Syntax: syntax, Summary: summary, Complexity: complexity}
	}
	help := sub("help", cmdPubsubHelp, 2, "6.2.0", "", "Describes the subcommands of PUBSUB.", "O(1)")
	help.Flags = engine.Loading | engine.Stale
	return engine.Spec{
		Name: "pubsub", Arity: -2, Group: "pubsub", Since: "2.8.0",
		Summary:    "A container for Pub/Sub commands.",
		Complexity: "Depends on subcommand.",
		Subcommands: []engine.Spec{
			sub("channels", channelsOf(pubsub.Channels), -2, "2.8.0", "[pattern]", "Lists the channels that have subscribers.",
				"O(N) where N is the number of active channels."),
			sub("numpat", cmdPubsubNumpat, 2, "2.8.0", "", "Counts the patterns that have subscribers.", "O(1)"),
			sub("numsub", subscribersOf(pubsub.Channels), -2, "2.8.0", "[channel=string [channel=string ...]]",
				"Counts the subscribers of channels.",
				"O(N) for the NUMSUB subcommand, where N is the number of requested channels"),
			sub("shardchannels", channelsOf(pubsub.ShardChannels), -2, "7.0.0", "[pattern]", "Lists the shard channels that have subscribers.",
				"O(N) where N is the number of active shard channels."),
			sub("shardnumsub", subscribersOf(pubsub.ShardChannels), -2, "7.0.0", "[shardchannel=string [shardchannel=string ...]]",
				"Counts the subscribers of shard channels.",
				"O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels"),
			help,
		},
	}
}

// subscribeTo is SUBSCRIBE, SSUBSCRIBE or PSUBSCRIBE. Inside a transaction, which makes one array of
// its replies, Redis refuses shard channels alone: older clients may depend on the others.
func subscribeTo(kind pubsub.Kind) engine.Handler {
	return func(c *engine.Ctx) error {
		if kind == pubsub.ShardChannels && c.Inside() {
			return engine.ErrDenyBlocking(c.Spec)
		}
		for _, name := range c.Args[1:] {
			c.Subscribe(kind, c.Spec.FullName(), name)
		}
		return nil
	}
}

func unsubscribeFrom(kind pubsub.Kind) engine.Handler {
	return func(c *engine.Ctx) error {
		if len(c.Args) == 1 {
			c.UnsubscribeAll(kind, c.Spec.FullName())
			return nil
		}
		for _, name := range c.Args[1:] {
			c.Unsubscribe(kind, c.Spec.FullName(), name)
		}
		return nil
	}
}

func cmdPublish(c *engine.Ctx) error {
	c.Out.Int(int64(c.Kernel.Publish(c, c.Args[1], c.Args[2])))
	return nil
}

func cmdSpublish(c *engine.Ctx) error {
	c.Out.Int(int64(c.Kernel.PublishShard(c, c.Args[1], c.Args[2])))
	return nil
}

// channelsOf is PUBSUB CHANNELS or SHARDCHANNELS.
func channelsOf(kind pubsub.Kind) engine.Handler {
	return func(c *engine.Ctx) error {
		if len(c.Args) > 3 {
			return engine.ErrSubcommandSyntax(c.Spec.Parent(), c.Args[1])
		}
		pattern := lex.Compile([]byte{'*'}, false)
		if len(c.Args) == 3 {
			pattern = lex.Compile(c.Args[2], false)
		}
		var text []byte // the names that match, one behind the other
		var ends []int
		c.Kernel.PubSub.Names(kind, func(name []byte) {
			if pattern.Match(name) {
				text = append(text, name...)
				ends = append(ends, len(text))
			}
		})
		c.Out.Array(len(ends))
		start := 0
		for _, end := range ends {
			c.Out.Bulk(text[start:end])
			start = end
		}
		return nil
	}
}

// subscribersOf is PUBSUB NUMSUB or SHARDNUMSUB.
func subscribersOf(kind pubsub.Kind) engine.Handler {
	return func(c *engine.Ctx) error {
		names := c.Args[2:]
		c.Out.Array(2 * len(names))
		for _, name := range names {
			c.Out.Bulk(name)
			c.Out.Int(int64(c.Kernel.PubSub.Subscribers(kind, name)))
		}
		return nil
	}
}

func cmdPubsubNumpat(c *engine.Ctx) error {
	c.Out.Int(int64(c.Kernel.PubSub.Topics(pubsub.Patterns)))
	return nil
}

func cmdPubsubHelp(c *engine.Ctx) error {
	return replyHelp(c,
		"CHANNELS [<pattern>]",
		"    Return the currently active channels matching a <pattern> (default: '*').",
		"NUMPAT",
		"    Return number of subscriptions to patterns.",
		"NUMSUB [<channel> ...]",
		"    Return the number of subscribers for the specified channels, excluding",
		"    pattern subscriptions(default: no channels).",
		"SHARDCHANNELS [<pattern>]",
		"    Return the currently active shard level channels matching a <pattern> (default: '*').",
		"SHARDNUMSUB [<shardchannel> ...]",
		"    Return the number of subscribers for the specified shard level channel(s)")
}
