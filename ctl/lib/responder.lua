-- SPDX-License-Identifier: GPL-2.0
-- What PowerDNS Recursor asks for every query: is the name one of the group's?
--
-- Each group has a port of its own, on which its view is answered, and after it that of
-- views.hub, which holds for all groups. A view is a list of
-- {name, IPv4 or false, IPv6 or false}, in views.lua, which the controller writes. Names are kept in a
-- tree by their labels from the last to the first; a "*" at the front stands for one label
-- or more, elsewhere for exactly one, and the more labels are spelled out from the right, the
-- more specific an entry is.
--
-- A host under a wildcard has addresses of its own: those in views.found, {wildcard, IPv4, IPv6},
-- and further ones that the supervisor is asked for when the host is. Where it gives none, the
-- wildcard's are answered.

local directory = "/run/coppice/responder/"
local LIFE = 5
local KEEP = 3600	-- after which the supervisor is told again that a host is asked for
local FULL = 30		-- for which it is not asked for further hosts when it has none for them
local SUPERVISOR = "127.0.0.1:20181"	-- RESPONDER_HOSTS_PORT

local function labels(name)
	local list = {}
	for label in name:gmatch("[^.]+") do
		table.insert(list, 1, label)
	end
	return list
end

local function add(tree, entry)
	local node, path = tree, labels(entry[1])
	for i, label in ipairs(path) do
		if label == "*" and i == #path then
			node.below = entry
			return
		end
		node.children = node.children or {}
		node.children[label] = node.children[label] or {}
		node = node.children[label]
	end
	node.here = entry
end

local function find(node, path, i)
	if i > #path then
		return node.here
	end
	local children = node.children
	local entry = children and children[path[i]] and find(children[path[i]], path, i + 1)
	if not entry and children and children["*"] then
		entry = find(children["*"], path, i + 1)
	end
	return entry or node.below
end

local views = dofile(directory .. "views.lua")
local trees = {}
for port, view in pairs(views.ports) do
	trees[port] = {}
	for _, entry in ipairs(view) do
		add(trees[port], entry)
	end
end

local token = dofile(directory .. "token.lua")
local full = {}		-- by port: until when there is no further address
local began = os.time()

local function answer(dq, entry)
	if dq.qtype == pdns.A and entry[2] then
		dq:addAnswer(pdns.A, entry[2], LIFE)
	elseif dq.qtype == pdns.AAAA and entry[3] then
		dq:addAnswer(pdns.AAAA, entry[3], LIFE)
	end
	-- All other types, HTTPS and SVCB above all, have no records here: that is an answer too.
	dq.rcode = 0
	return true
end

-- The name, its entry, and the port of the view that this is of.
local function look_up(dq)
	local name = dq.qname:toStringNoDot():lower()
	local port, path = dq.localaddr:getPort(), labels(name)
	local entry = trees[port] and find(trees[port], path, 1)
	if entry then
		return name, entry, port
	end
	return name, trees[views.hub] and find(trees[views.hub], path, 1), views.hub
end

-- The addresses of a host under a wildcard, of the families that are answered of that.
local function found(name, entry, port)
	local host = views.found[port] and views.found[port][name]
	if host and host[1] == entry[1] then
		return { name, entry[2] and host[2], entry[3] and host[3] }, host[4] or began
	end
	return nil, 0
end

local function ask(dq, name, entry, port)
	dq.followupFunction = "udpQueryResponse"
	dq.udpCallback = "given"
	dq.udpQueryDest = newCA(SUPERVISOR)
	dq.udpQuery = string.format("%s %d %s %s", token, port - views.first, entry[1], name)
	return true
end

function given(dq)
	dq.followupFunction = ""	-- or it is asked again
	local name, entry, port = look_up(dq)
	local v4, v6 = dq.udpAnswer:match("^(%S+) (%S+)$")
	if v4 then
		views.found[port] = views.found[port] or {}
		views.found[port][name] = { entry[1], v4, v6, os.time() }
	elseif dq.udpAnswer == "full" then
		full[port] = os.time() + FULL
	end
	return answer(dq, found(name, entry, port) or entry)
end

local function answer_wildcard(dq, name, entry, port)
	local host, since = found(name, entry, port)
	if dq.qtype ~= pdns.A and dq.qtype ~= pdns.AAAA or not name:match("^[%w._-]+$") or
	   host and os.time() - since < KEEP or os.time() < (full[port] or 0) then
		return answer(dq, host or entry)
	end
	return ask(dq, name, entry, port)
end

function preresolve(dq)
	local name, entry, port = look_up(dq)
	if entry and entry[1]:find("*", 1, true) then
		return answer_wildcard(dq, name, entry, port)
	elseif entry then
		return answer(dq, entry)
	end
	if not views.upstream then
		dq.rcode = pdns.SERVFAIL
		return true
	end
	return false
end
