"""Watches a site with the client for Python that others wrote: prints what happens, a line each."""

import asyncio
import json
import sys

from centrifuge import Client, ClientEventHandler, SubscriptionEventHandler

address, token, channel = sys.argv[1:]


def say(*words):
    print(*(word if isinstance(word, str) else json.dumps(word) for word in words), flush=True)


class Events(ClientEventHandler):
    async def on_connected(self, context):
        say("connected", context.client)

    async def on_disconnected(self, context):
        say("disconnected", str(context.code))

    async def on_subscribed(self, context):
        say("server-subscribed", context.channel)

    async def on_publication(self, context):
        say("server-publication", context.channel, context.pub.data)


class Votes(SubscriptionEventHandler):
    async def on_subscribed(self, context):
        say("subscribed", channel)

    async def on_publication(self, context):
        say("publication", channel, context.pub.data)

    async def on_unsubscribed(self, context):
        say("unsubscribed", channel, str(context.code))


async def main():
    async def fresh():
        return token

    client = Client(address, events=Events(), token=token, get_token=fresh)
    await client.connect()
    votes = client.new_subscription(channel, events=Votes())
    await votes.subscribe()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await client.disconnect()


asyncio.run(main())
