-- SPDX-License-Identifier: GPL-2.0
-- What PowerDNS Recursor asks for every query: is the name one of the group's?
--
-- Each group has a port of its own, on which its view is answered, and after it that of
-- views.hub, which holds for all groups. A view is a list of
-- {name, IPv4 or false, IPv6 or false}, in views.lua, which the controller writes. Names are kept in a
-- tree by their labels from the last to the first; a "*" at the front stands for one label
-- or more, elsewhere for exactly one, and the more labels are spelled out from the right, the
-- more specific an entry is.

local directory = "/run/coppice/responder/"
local LIFE = 5

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

function preresolve(dq)
	local path = labels(dq.qname:toStringNoDot():lower())
	local own, hub = trees[dq.localaddr:getPort()], trees[views.hub]
	local entry = own and find(own, path, 1) or hub and find(hub, path, 1)
	if entry then
		return answer(dq, entry)
	end
	if not views.upstream then
		dq.rcode = pdns.SERVFAIL
		return true
	end
	return false
end
